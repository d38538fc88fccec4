//! Noise: normal, and fixed by its seed.

use candle_core::{DType, Device, Result, Tensor};
use taper::interventions::noise;

fn drawn(shape: impl Into<candle_core::Shape>, std: f64, seed: u64) -> Result<Vec<f64>> {
    noise(std, seed)(&Tensor::zeros(shape, DType::F64, &Device::Cpu)?)?.flatten_all()?.to_vec1()
}

#[test]
fn is_normal() -> Result<()> {
    let n = 200_000;
    let drawn = drawn(n, 2., 1)?;
    let moment = |power: i32| drawn.iter().map(|z| (z / 2.).powi(power)).sum::<f64>() / n as f64;
    let within = |sigmas: f64| drawn.iter().filter(|z| (*z / 2.).abs() < sigmas).count() as f64 / n as f64;
    // Each bound is about five standard errors.
    assert!(moment(1).abs() < 0.011, "mean {}", moment(1));
    assert!((moment(2) - 1.).abs() < 0.016, "variance {}", moment(2));
    assert!(moment(3).abs() < 0.044, "skewness {}", moment(3));
    assert!((moment(4) - 3.).abs() < 0.11, "kurtosis {}", moment(4));
    assert!((within(1.) - 0.682689).abs() < 0.0053 && (within(2.) - 0.954500).abs() < 0.0024);
    let neighbours: f64 = drawn.windows(2).map(|z| z[0] * z[1] / 4.).sum::<f64>() / n as f64;
    assert!(neighbours.abs() < 0.011, "neighbours {neighbours}");
    Ok(())
}

#[test]
fn is_that_of_its_seed() -> Result<()> {
    let n = 100_000;
    let (a, b) = (drawn(n, 1., 7)?, drawn(n, 1., 8)?);
    let correlation = a.iter().zip(&b).map(|(a, b)| a * b).sum::<f64>() / n as f64;
    assert!(correlation.abs() < 0.016, "{correlation}");
    assert_eq!(a, std::thread::spawn(move || drawn((10, n / 10), 1., 7)).join().unwrap()?);
    Ok(())
}

#[test]
fn is_the_same_in_every_dtype_and_layout() -> Result<()> {
    let exact = Tensor::new(drawn((3, 4), 1., 5)?, &Device::Cpu)?.reshape((3, 4))?;
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let zeros = Tensor::zeros((3, 4), dtype, &Device::Cpu)?;
        let noisy = noise(1., 5)(&zeros)?;
        assert_eq!(noisy.dtype(), dtype);
        // Rounded to f32 on the way.
        let rounded = exact.to_dtype(DType::F32)?.to_dtype(dtype)?;
        assert_eq!(super::values(&noisy), super::values(&rounded));
        let transposed = Tensor::zeros((4, 3), dtype, &Device::Cpu)?.t()?;
        assert_eq!(super::values(&noise(1., 5)(&transposed)?), super::values(&rounded));
    }
    Ok(())
}

/// Neither right nor wrong, but what earlier runs got: other numbers would change results without a word.
#[test]
fn is_what_it_was() -> Result<()> {
    assert_eq!(drawn(3, 1., 42)?, [0.06942791836196335, 0.13293812199412544, 0.2625763573739537]);
    Ok(())
}
