//! Elements that count and elements that do not.

use candle_core::shape::Dim;
use candle_core::{DType, Device, Tensor, bail};

use crate::Result;
use crate::numeric::{broadcast, float, like, same_device, widen, widened};

/// `x` with `value` where `mask` is not 0 (PyTorch's `masked_fill`). The mask is u8, as comparisons return it, and
/// broadcasts to the shape of `x`; what it leaves alone is the same bit for bit.
///
/// # Errors
/// A mask of another dtype, on another device, or that does not broadcast to the shape of `x`, and a `value` that the
/// dtype of `x` cannot hold (−1e9 in f16; use `f64::NEG_INFINITY`).
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// use taper::tensors::masked_fill;
///
/// let x = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
/// let later = Tensor::new(&[[0u8, 1], [0, 0]], &Device::Cpu)?;
/// assert_eq!(masked_fill(&x, &later, f64::NEG_INFINITY)?.to_vec2::<f32>()?, [[1., f32::NEG_INFINITY], [3., 4.]]);
/// assert_eq!(masked_fill(&x, &x.gt(2.5)?, 0.)?.to_vec2::<f32>()?, [[1., 2.], [0., 0.]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn masked_fill(x: &Tensor, mask: &Tensor, value: f64) -> Result<Tensor> {
    is_mask("masked_fill", x, mask)?;
    let mask = broadcast("masked_fill", mask, x)?;
    let value = constant(value, x)?.broadcast_as(x.shape())?;
    like(x, &mask.where_cond(&value, x)?)
}

/// A tensor of one value, as `x` is; a finite `value` that its dtype cannot hold is an error.
fn constant(value: f64, x: &Tensor) -> Result<Tensor> {
    let made = Tensor::new(value, &Device::Cpu)?.to_dtype(x.dtype())?;
    let back = made.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    let lost = if x.dtype().is_int() { back != value } else { value.is_finite() && !back.is_finite() };
    if lost {
        bail!(
            "`masked_fill`: {value} is no value of {:?}: use one that it can hold, or convert by `to_dtype`",
            x.dtype()
        );
    }
    made.to_device(x.device())
}

/// The mean over `dim` of the elements whose `mask` is not 0, without that dimension: [batch, token, channel] with a mask
/// of [batch, token, 1] over dimension 1 gives [batch, channel], the mean over the tokens that are not padding.
///
/// The mask is u8 and has as many dimensions as `x`, each of its size or 1 (so that a mask of [batch, token] is not taken
/// for one of [token, channel]). What does not count may be anything, NaN included; its gradient is 0.
///
/// # Errors
/// A dimension that is out of range, integers, a mask of another dtype, rank or size or on another device, and a mean of
/// nothing: NaN is never returned for it. (To count, the mask is read from the device.)
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// use taper::tensors::masked_mean;
///
/// let x = Tensor::new(&[[[1f32, 2.], [3., 4.], [9., 9.]]], &Device::Cpu)?; // [batch, token, channel]
/// let real = Tensor::new(&[[1u8, 1, 0]], &Device::Cpu)?; // [batch, token]
/// assert_eq!(masked_mean(&x, &real.unsqueeze(2)?, 1)?.to_vec2::<f32>()?, [[2., 3.]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn masked_mean(x: &Tensor, mask: &Tensor, dim: impl Dim) -> Result<Tensor> {
    let dim = dim.to_index(x.shape(), "masked_mean")?;
    float("masked_mean", x)?;
    is_mask("masked_mean", x, mask)?;
    if mask.rank() != x.rank() {
        bail!(
            "`masked_mean`: the mask has shape {:?}, and the tensor {:?}: give it as many dimensions by `unsqueeze`",
            mask.dims(),
            x.dims()
        );
    }
    let mask = broadcast("masked_mean", mask, x)?;
    let count = mask.ne(0u8)?.to_dtype(widened(x.dtype()))?.sum(dim)?;
    counts("masked_mean", &count, dim)?;
    let wide = widen(x)?;
    let sum = mask.where_cond(&wide, &wide.zeros_like()?)?.sum(dim)?;
    (sum / count)?.to_dtype(x.dtype())
}

fn counts(what: &str, count: &Tensor, dim: usize) -> Result<()> {
    let counts = count.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    if let Some(row) = counts.iter().position(|&count| count == 0.) {
        let mut place = vec![0; count.rank()];
        let mut rest = row;
        for (at, &size) in place.iter_mut().zip(count.dims()).rev() {
            (*at, rest) = (rest % size, rest / size);
        }
        bail!(
            "`{what}` over dimension {dim}: the mask of {place:?} (of the result's {:?}) is 0 throughout, and nothing has \
             no mean: leave that row out",
            count.dims()
        );
    }
    Ok(())
}

fn is_mask(what: &str, x: &Tensor, mask: &Tensor) -> Result<()> {
    if mask.dtype() != DType::U8 {
        bail!("`{what}` takes a mask of u8, and this one is {:?}: make it by a comparison, `.ne(0.)`", mask.dtype());
    }
    same_device(what, x, mask)
}
