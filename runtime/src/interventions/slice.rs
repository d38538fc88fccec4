//! A part of the value only: a head, a position, a row of the batch.

use candle_core::shape::Dim;
use candle_core::{Tensor, bail};

use super::indices::{Indices, Places};
use crate::Result;
use crate::numeric::{broadcast, like, same_kind};

/// Does `f` to the places `indices` of dimension `dim`, and leaves the rest alone, bit for bit.
///
/// `f` gets the slice with its dimension kept (a head of [batch, head, query, key] is [batch, 1, query, key]), so that
/// calls nest: `at(1, 3, at(2, 0..4, zero()))` is the first four queries of head 3. It must return the slice's shape. An
/// empty range or list changes nothing, and `f` is not called.
///
/// PyTorch's `x[:, 3] = f(x[:, 3])`, out of place and differentiable.
///
/// # Errors
/// A dimension or an index that is out of range, a place that is named twice, and a result of `f` of another shape, dtype
/// or device.
///
/// ```
/// use taper::candle_core::{D, Device, Tensor};
/// use taper::interventions::{at, scale, zero};
///
/// let x = Tensor::new(&[[1f32, 2., 3.], [4., 5., 6.]], &Device::Cpu)?;
/// assert_eq!(at(1, 0, zero())(&x)?.to_vec2::<f32>()?, [[0., 2., 3.], [0., 5., 6.]]);
/// assert_eq!(at(D::Minus1, -2.., scale(10.))(&x)?.to_vec2::<f32>()?, [[1., 20., 30.], [4., 50., 60.]]);
/// assert_eq!(at(0, 1, at(1, [0, 2], zero()))(&x)?.to_vec2::<f32>()?, [[1., 2., 3.], [0., 5., 0.]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn at<D, I, F>(dim: D, indices: I, f: F) -> impl Fn(&Tensor) -> Result<Tensor> + Send + Sync
where
    D: Dim + Send + Sync,
    I: Into<Indices>,
    F: Fn(&Tensor) -> Result<Tensor> + Send + Sync,
{
    let indices = indices.into();
    move |x| {
        let dim = dim.to_index(x.shape(), "at")?;
        slice("at", x, dim, &indices, |old, _| f(old))
    }
}

/// [`at`] for `edit_with`: `f` gets the slice of the value and the same slice of its operand, which must have the value's
/// shape or broadcast to it.
///
/// # Errors
/// Those of [`at`], and an operand that does not fit in shape, dtype or device.
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// use taper::interventions::{at_with, interpolate};
///
/// let x = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
/// let other = Tensor::new(&[[5f32, 6.], [7., 8.]], &Device::Cpu)?;
/// let halfway = at_with(1, 0, interpolate(0.5));
/// assert_eq!(halfway(&x, &other)?.to_vec2::<f32>()?, [[3., 2.], [5., 4.]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn at_with<D, I, F>(dim: D, indices: I, f: F) -> impl Fn(&Tensor, &Tensor) -> Result<Tensor> + Send + Sync
where
    D: Dim + Send + Sync,
    I: Into<Indices>,
    F: Fn(&Tensor, &Tensor) -> Result<Tensor> + Send + Sync,
{
    slice_with("at_with", dim, indices.into(), f)
}

/// For `edit_with`: takes the places `indices` of dimension `dim` from the operand, and leaves the rest alone, bit for
/// bit: activation patching of a head or a position. The operand must have the value's shape or broadcast to it.
///
/// # Errors
/// Those of [`at_with`].
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// use taper::interventions::patch;
///
/// let corrupted = Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?;
/// let clean = Tensor::new(&[[5f32, 6.], [7., 8.]], &Device::Cpu)?;
/// assert_eq!(patch(0, -1)(&corrupted, &clean)?.to_vec2::<f32>()?, [[1., 2.], [7., 8.]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn patch<D, I>(dim: D, indices: I) -> impl Fn(&Tensor, &Tensor) -> Result<Tensor> + Send + Sync
where
    D: Dim + Send + Sync,
    I: Into<Indices>,
{
    slice_with("patch", dim, indices.into(), |_: &Tensor, operand: &Tensor| Ok(operand.clone()))
}

fn slice_with<D, F>(
    what: &'static str,
    dim: D,
    indices: Indices,
    f: F,
) -> impl Fn(&Tensor, &Tensor) -> Result<Tensor> + Send + Sync
where
    D: Dim + Send + Sync,
    F: Fn(&Tensor, &Tensor) -> Result<Tensor> + Send + Sync,
{
    move |x, operand| {
        let dim = dim.to_index(x.shape(), what)?;
        same_kind(what, x, operand)?;
        let operand = broadcast(what, operand, x)?;
        slice(what, x, dim, &indices, |old, places| f(old, &places.take(&operand, dim)?))
    }
}

fn slice(
    what: &str,
    x: &Tensor,
    dim: usize,
    indices: &Indices,
    f: impl FnOnce(&Tensor, &Places) -> Result<Tensor>,
) -> Result<Tensor> {
    let places = indices.resolve(what, x, dim)?;
    if let Some(place) = places.repeated() {
        bail!("`{what}` of `{indices}` names index {place} of dimension {dim} twice: name it once");
    }
    if places.is_empty() || x.elem_count() == 0 {
        return Ok(x.clone());
    }
    let old = places.take(x, dim)?;
    let new = f(&old, &places)?;
    if new.id() == old.id() {
        return Ok(x.clone());
    }
    same_kind(what, &old, &new)?;
    if new.dims() != old.dims() {
        bail!("`{what}`: the slice has shape {:?}, and its new value {:?}: return the slice's", old.dims(), new.dims());
    }
    like(x, &places.put(x, dim, &new)?)
}
