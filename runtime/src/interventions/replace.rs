//! Other values in place of the ones that were computed.

use candle_core::shape::Dims;
use candle_core::{DType, Tensor};

use crate::Result;
use crate::numeric::{broadcast, finish, float, like, same_kind, widen};

/// Zero ablation: zeros of the same shape, dtype and device, integers included.
///
/// Zeros are zeros whatever the value was, infinite and NaN included; the gradient towards it is 0.
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[1f32, f32::INFINITY], &Device::Cpu)?;
/// assert_eq!(taper::interventions::zero()(&x)?.to_vec1::<f32>()?, [0., 0.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn zero() -> impl Fn(&Tensor) -> Result<Tensor> + Send + Sync {
    zeros_of
}

pub(super) fn zeros_of(x: &Tensor) -> Result<Tensor> {
    let zeros = x.zeros_like()?;
    if !x.track_op() || x.elem_count() == 0 {
        return like(x, &zeros);
    }
    // A choice that always falls on the zeros: they stay on the graph, and 0 · ∞ occurs nowhere.
    let always = Tensor::ones(x.shape(), DType::U8, x.device())?;
    like(x, &always.where_cond(&zeros, x)?)
}

/// `value` in place of whatever was computed, broadcast to its shape; of its dtype and on its device.
///
/// For a part of the value: `at(1, 3, replace(&head))`. For one value a site, known beforehand, `run().replace(..)` does
/// not even compute what it replaces.
///
/// # Errors
/// A `value` that does not broadcast to the shape, or is of another dtype or on another device.
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// use taper::interventions::{at, replace};
///
/// let x = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
/// let row = Tensor::new(&[7f32, 8.], &Device::Cpu)?;
/// assert_eq!(at(0, 1, replace(&row))(&x)?.to_vec2::<f32>()?, [[1., 2.], [7., 8.]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn replace(value: &Tensor) -> impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + use<> {
    let value = value.clone();
    move |x| {
        same_kind("replace", x, &value)?;
        like(x, &broadcast("replace", &value, x)?)
    }
}

/// Mean ablation: every element becomes the mean over `dims`, the shape stays. `mean(0)` over the batch, `mean((0, 1))`
/// over batch and tokens of [batch, token, channel].
///
/// The mean is of this very value. For means over a dataset, one a site: `run().edit_with(sites, &means, with(replace))`.
///
/// # Errors
/// A dimension that is out of range or named twice, and integers.
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
/// assert_eq!(taper::interventions::mean(0)(&x)?.to_vec2::<f32>()?, [[2., 3.], [2., 3.]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn mean<D: Dims + Clone + Send + Sync>(dims: D) -> impl Fn(&Tensor) -> Result<Tensor> + Send + Sync {
    move |x| {
        let dims = dims.clone().to_indexes(x.shape(), "mean")?;
        float("mean", x)?;
        if x.elem_count() == 0 || dims.iter().all(|&dim| x.dims()[dim] == 1) {
            return Ok(x.clone());
        }
        finish(x, &widen(x)?.mean_keepdim(dims)?.broadcast_as(x.shape())?)
    }
}

/// For `edit_with`: part of the way from the value `x` to its operand `v`, `(1 − alpha)·x + alpha·v` (PyTorch's `lerp`).
///
/// 0 is the value itself, 1 the operand, and less or more goes beyond them. Where both are the same infinity, as
/// in masked scores, the result is that infinity. The operand must have the value's shape or broadcast to it.
///
/// # Errors
/// An operand that does not fit in shape, dtype or device, integers, and an `alpha` that is not finite.
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[0f32, 1.], &Device::Cpu)?;
/// let v = Tensor::new(&[4f32, 1.], &Device::Cpu)?;
/// assert_eq!(taper::interventions::interpolate(0.25)(&x, &v)?.to_vec1::<f32>()?, [1., 1.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn interpolate(alpha: f64) -> impl Fn(&Tensor, &Tensor) -> Result<Tensor> + Send + Sync {
    move |x, operand| {
        super::scale::finite("interpolate", alpha)?;
        float("interpolate", x)?;
        same_kind("interpolate", x, operand)?;
        let operand = broadcast("interpolate", operand, x)?;
        if alpha == 0. || x.elem_count() == 0 {
            return Ok(x.clone());
        }
        if alpha == 1. {
            return like(x, &operand);
        }
        let own = super::scale::times(&widen(x)?, 1. - alpha)?;
        finish(x, &(own + super::scale::times(&widen(&operand)?, alpha)?)?)
    }
}
