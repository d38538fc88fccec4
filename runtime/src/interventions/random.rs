//! Randomness that a seed fixes: the same on every device and thread, and for every dtype up to rounding.

use candle_core::shape::Dim;
use candle_core::{Device, Tensor, bail};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

use super::indices::{Indices, Places, select};
use crate::Result;
use crate::numeric::{finish, float, like, widen, widened};

/// Adds Gaussian noise of standard deviation `std`, drawn from `seed`: a function of the seed and the value's shape
/// alone, so that every run repeats it, whatever the device, the thread and the dtype (candle's own generator cannot be
/// seeded on the CPU). It is drawn on the host.
///
/// Values of one shape at several sites therefore get the **same** noise. For noise of its own at every site, let the
/// seed depend on it: `run().edit_at(sites, |at, x| noise(0.1, seed + at.position() as u64)(x))`.
///
/// A `std` of 0 changes nothing.
///
/// # Errors
/// A `std` that is negative or not finite, and integers.
///
/// ```
/// use taper::candle_core::{DType, Device, Tensor};
/// use taper::interventions::noise;
///
/// let x = Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?;
/// let noisy = noise(0.1, 42)(&x)?;
/// assert_eq!(noisy.to_vec2::<f32>()?, noise(0.1, 42)(&x)?.to_vec2::<f32>()?);
/// assert_ne!(noisy.to_vec2::<f32>()?, noise(0.1, 43)(&x)?.to_vec2::<f32>()?);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn noise(std: f64, seed: u64) -> impl Fn(&Tensor) -> Result<Tensor> + Send + Sync {
    move |x| {
        if !std.is_finite() || std < 0. {
            bail!("`noise` of standard deviation {std}: use a finite number that is not negative");
        }
        float("noise", x)?;
        if std == 0. || x.elem_count() == 0 {
            return Ok(x.clone());
        }
        let mut generator = ChaCha12Rng::seed_from_u64(seed);
        let normal = |_| std * Distribution::<f64>::sample(&StandardNormal, &mut generator);
        let noise: Vec<f64> = (0..x.elem_count()).map(normal).collect();
        let noise = Tensor::from_vec(noise, x.shape(), &Device::Cpu)?.to_dtype(widened(x.dtype()))?;
        finish(x, &(widen(x)? + noise.to_device(x.device())?)?)
    }
}

/// Resample ablation by hand: place `i` along `dim` gets what place `indices[i]` had (PyTorch's `index_select`).
/// `resample(0, [1, 0])` exchanges two rows of a batch.
///
/// An index may occur several times. Every place in its own order changes nothing.
///
/// # Errors
/// A dimension or an index that is out of range, and another number of indices than there are places.
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
/// assert_eq!(taper::interventions::resample(0, [1, 0])(&x)?.to_vec2::<f32>()?, [[3., 4.], [1., 2.]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn resample<D, I>(dim: D, indices: I) -> impl Fn(&Tensor) -> Result<Tensor> + Send + Sync
where
    D: Dim + Send + Sync,
    I: Into<Indices>,
{
    let indices = indices.into();
    move |x| {
        let dim = dim.to_index(x.shape(), "resample")?;
        let from = match x.dims()[dim] {
            // No index is in range, and none is needed.
            0 => return Ok(x.clone()),
            _ => indices.resolve("resample", x, dim)?,
        };
        reorder("resample", x, dim, &from)
    }
}

/// Resample ablation: a random permutation along `dim`, drawn from `seed`: every row of a batch gets the value of another
/// row, or by chance its own.
///
/// The permutation depends on the seed and the size of the dimension alone, so that it is the same at every site.
///
/// # Errors
/// A dimension that is out of range.
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// let x = Tensor::arange(0u32, 10, &Device::Cpu)?;
/// let mut shuffled = taper::interventions::shuffle(0, 7)(&x)?.to_vec1::<u32>()?;
/// assert_ne!(shuffled, x.to_vec1::<u32>()?);
/// shuffled.sort();
/// assert_eq!(shuffled, x.to_vec1::<u32>()?);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn shuffle<D: Dim + Send + Sync>(dim: D, seed: u64) -> impl Fn(&Tensor) -> Result<Tensor> + Send + Sync {
    move |x| {
        let dim = dim.to_index(x.shape(), "shuffle")?;
        reorder("shuffle", x, dim, &Places::List(permutation(x.dims()[dim], seed)))
    }
}

fn reorder(what: &str, x: &Tensor, dim: usize, from: &Places) -> Result<Tensor> {
    let (from, size) = (from.to_list(), x.dims()[dim]);
    if from.len() != size {
        bail!(
            "`{what}` along dimension {dim} of a tensor of shape {:?} by {} indices: give one for each of the {size} places",
            x.dims(),
            from.len()
        );
    }
    match from.iter().enumerate().all(|(i, &place)| i == place) {
        true => Ok(x.clone()),
        false => like(x, &select(x, dim, &from)?),
    }
}

/// Fisher and Yates' shuffle.
fn permutation(len: usize, seed: u64) -> Vec<usize> {
    let mut generator = ChaCha12Rng::seed_from_u64(seed);
    let mut places: Vec<usize> = (0..len).collect();
    for i in (1..len).rev() {
        places.swap(i, below(i as u64 + 1, &mut generator) as usize);
    }
    places
}

/// Uniform below `end`: numbers from an incomplete last round are drawn again.
fn below(end: u64, generator: &mut ChaCha12Rng) -> u64 {
    let rounds = u64::MAX - u64::MAX % end;
    loop {
        let drawn = generator.next_u64();
        if drawn < rounds {
            return drawn % end;
        }
    }
}
