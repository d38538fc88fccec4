//! Stronger, weaker, shifted, bounded.

use candle_core::{Tensor, bail};

use super::replace::zeros_of;
use crate::Result;
use crate::numeric::{broadcast, finish, float, like, same_kind, widen};

/// `alpha·x`. 1 changes nothing; 0 is [`zero`](super::zero), also where the value is infinite.
///
/// # Errors
/// Integers, and an `alpha` that is not finite.
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[1f32, -2.], &Device::Cpu)?;
/// assert_eq!(taper::interventions::scale(0.5)(&x)?.to_vec1::<f32>()?, [0.5, -1.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn scale(alpha: f64) -> impl Fn(&Tensor) -> Result<Tensor> + Send + Sync {
    move |x| {
        finite("scale", alpha)?;
        float("scale", x)?;
        match alpha {
            1. => Ok(x.clone()),
            0. => zeros_of(x),
            _ => finish(x, &times(&widen(x)?, alpha)?),
        }
    }
}

/// Steering: `x + alpha·v`, `v` broadcast to the value's shape (`[channel]` to every token of [batch, token, channel]).
///
/// If `v` is a `Var`'s tensor, `backward()` gives its gradient, and every run sees the values that it has by then. For
/// another vector at every site see [`with`](super::with). An `alpha` of 0 changes nothing.
///
/// # Errors
/// A `v` that does not broadcast to the shape, is of another dtype or on another device, integers, and an `alpha` that is
/// not finite.
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
/// let v = Tensor::new(&[1f32, -1.], &Device::Cpu)?;
/// assert_eq!(taper::interventions::add(2., &v)(&x)?.to_vec2::<f32>()?, [[3., 0.], [5., 2.]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn add(alpha: f64, v: &Tensor) -> impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + use<> {
    let v = v.clone();
    move |x| {
        finite("add", alpha)?;
        float("add", x)?;
        same_kind("add", x, &v)?;
        // Before it is broadcast: it may be much smaller.
        let shift = times(&widen(&v)?, alpha)?;
        let shift = broadcast("add", &shift, x)?;
        match alpha {
            0. => Ok(x.clone()),
            _ => finish(x, &(widen(x)? + shift)?),
        }
    }
}

/// Every element below `min` becomes `min`, every one above `max` becomes `max` (PyTorch's `clamp`): NaN stays NaN, and
/// the gradient is 1 from `min` to `max` and 0 beyond.
///
/// A bound may be infinite, as in `clamp(0., f64::INFINITY)`. Bounds are rounded to the value's dtype.
///
/// # Errors
/// Bounds that are NaN or in the wrong order, and integers.
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[-3f32, 0.5, 3.], &Device::Cpu)?;
/// assert_eq!(taper::interventions::clamp(-1., 1.)(&x)?.to_vec1::<f32>()?, [-1., 0.5, 1.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn clamp(min: f64, max: f64) -> impl Fn(&Tensor) -> Result<Tensor> + Send + Sync {
    move |x| {
        if min.is_nan() || max.is_nan() || min > max {
            bail!("`clamp` from {min} to {max}: the first bound must not be above the second, and neither NaN");
        }
        float("clamp", x)?;
        // Not `Tensor::clamp`: it loses NaN, and halves the gradient at the bounds.
        let bounded = [(min, true), (max, false)].into_iter().try_fold(x.clone(), |x, (bound, below)| {
            let bound = Tensor::new(bound, x.device())?.to_dtype(x.dtype())?.broadcast_as(x.shape())?;
            let beyond = if below { x.lt(&bound)? } else { x.gt(&bound)? };
            beyond.where_cond(&bound, &x)
        })?;
        like(x, &bounded)
    }
}

/// `alpha·x` for an x of f32 or f64. The zero that candle adds is −0: adding 0 would make a 0 of −0.
pub(super) fn times(x: &Tensor, alpha: f64) -> Result<Tensor> {
    if alpha == 1. { Ok(x.clone()) } else { x.affine(alpha, -0.) }
}

pub(super) fn finite(what: &str, alpha: f64) -> Result<()> {
    if !alpha.is_finite() {
        bail!("`{what}` by {alpha}: use a finite number");
    }
    Ok(())
}
