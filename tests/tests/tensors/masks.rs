//! `masked_fill` and `masked_mean`.

use candle_core::{D, DType, Device, Result, Tensor, Var};
use taper::tensors::{masked_fill, masked_mean};
use taper_tests::gradients::{assert_gradient, numbers};

use super::{assert_close, assert_fault, new, values};

fn mask(values: &[u8]) -> Tensor {
    Tensor::new(values, &Device::Cpu).unwrap()
}

#[test]
fn fill_broadcasts_its_mask_and_leaves_the_rest_alone() -> Result<()> {
    let x = Tensor::new(&[[-0f32, f32::NAN, 3.], [4., f32::INFINITY, 6.]], &Device::Cpu)?;
    let filled = masked_fill(&x, &mask(&[0, 0, 7]), -5.)?;
    let bits = |x: &Tensor| values(x).into_iter().map(f32::to_bits).collect::<Vec<_>>();
    let mut expected = bits(&x);
    (expected[2], expected[5]) = ((-5f32).to_bits(), (-5f32).to_bits());
    assert_eq!(bits(&filled), expected);
    let transposed = masked_fill(&x.t()?, &mask(&[1, 0]), 0.)?;
    assert_eq!(values(&transposed)[..4], [0., 4., 0., f32::INFINITY]);
    assert_eq!(transposed.stride(), x.t()?.stride());
    let ids = Tensor::new(&[5u32, 6, 7], &Device::Cpu)?;
    assert_eq!(masked_fill(&ids, &mask(&[0, 1, 0]), 9.)?.to_vec1::<u32>()?, [5, 9, 7]);
    Ok(())
}

#[test]
fn fill_takes_values_that_the_dtype_holds() -> Result<()> {
    let half = new(&[1., 2.]).to_dtype(DType::F16)?;
    assert_fault(masked_fill(&half, &mask(&[1, 0]), -1e9), &["`masked_fill`", "-1000000000", "F16"]);
    assert_eq!(values(&masked_fill(&half, &mask(&[1, 0]), f64::NEG_INFINITY)?), [f32::NEG_INFINITY, 2.]);
    assert!(values(&masked_fill(&half, &mask(&[1, 0]), f64::NAN)?)[0].is_nan());
    let ids = Tensor::new(&[5u32], &Device::Cpu)?;
    assert_fault(masked_fill(&ids, &mask(&[1]), 0.5), &["0.5", "U32"]);
    assert_fault(masked_fill(&ids, &mask(&[1]), -1.), &["-1", "U32"]);
    Ok(())
}

#[test]
fn fill_refuses_what_is_no_mask() -> Result<()> {
    let x = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
    assert_fault(masked_fill(&x, &new(&[1., 0., 0.]), 0.), &["mask of u8", "F32", ".ne(0.)"]);
    assert_fault(masked_fill(&x, &mask(&[1, 0]), 0.), &["[2]", "[2, 3]"]);
    assert_fault(masked_fill(&x, &Tensor::zeros((1, 2, 3), DType::U8, &Device::Cpu)?, 0.), &["[1, 2, 3]", "[2, 3]"]);
    Ok(())
}

#[test]
fn both_have_gradients() -> Result<()> {
    let some = Tensor::new(&[[[1u8], [0], [1]], [[0], [1], [0]]], &Device::Cpu)?;
    assert_gradient(&numbers((2, 3, 4), 1), |x| masked_fill(x, &some, 2.));
    assert_gradient(&numbers((2, 3, 4), 1), |x| masked_mean(x, &some, 1));
    // What is masked may be infinite: 0 · ∞ is nowhere, in the gradient neither.
    let x = Var::new(&[[f32::INFINITY, 1., 3.]], &Device::Cpu)?;
    let mean = masked_mean(&x, &mask(&[0, 1, 1]).unsqueeze(0)?, 1)?;
    assert_eq!(values(&mean), [2.]);
    assert_eq!(values(mean.sum_all()?.backward()?.get(&x).unwrap()), [0., 0.5, 0.5]);
    Ok(())
}

#[test]
fn mean_of_what_counts() -> Result<()> {
    // [batch, token, channel], with padding that is NaN.
    let x = Tensor::new(&[[[1f32, 2.], [3., 8.]], [[5., 6.], [f32::NAN, f32::INFINITY]]], &Device::Cpu)?;
    let real = Tensor::new(&[[1u8, 1], [255, 0]], &Device::Cpu)?.unsqueeze(2)?;
    let mean = masked_mean(&x, &real, 1)?;
    assert_eq!((mean.dims(), values(&mean)), (&[2, 2][..], vec![2., 5., 5., 6.]));
    let over_channels = masked_mean(&x.narrow(1, 0, 1)?, &mask(&[1, 0]).reshape((1, 1, 2))?, D::Minus1)?;
    assert_close(&over_channels, &[1., 5.]);
    // All counted, it is the mean; 300 ones would stop at 256 in bf16.
    let ones = Tensor::ones((300, 1), DType::BF16, &Device::Cpu)?;
    assert_eq!(values(&masked_mean(&ones, &Tensor::ones((300, 1), DType::U8, &Device::Cpu)?, 0)?), [1.]);
    Ok(())
}

#[test]
fn mean_of_nothing_is_an_error() -> Result<()> {
    let x = Tensor::zeros((2, 3, 4), DType::F32, &Device::Cpu)?;
    let padding = Tensor::new(&[[1u8, 0, 0], [0, 0, 0]], &Device::Cpu)?;
    assert_fault(masked_mean(&x, &padding.unsqueeze(2)?, 1), &["`masked_mean`", "[1, 0]", "[2, 4]"]);
    assert_fault(masked_mean(&x.narrow(1, 0, 0)?, &padding.unsqueeze(2)?.narrow(1, 0, 0)?, 1), &["[0, 0]"]);
    assert_fault(masked_mean(&x, &padding, 1), &["[2, 3]", "[2, 3, 4]", "unsqueeze"]);
    assert_fault(masked_mean(&x, &padding.unsqueeze(2)?, 3), &["masked_mean", "3"]);
    assert_fault(masked_mean(&padding, &padding, 1), &["U8", "to_dtype"]);
    Ok(())
}
