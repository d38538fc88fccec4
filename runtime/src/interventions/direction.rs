//! What a value holds along a direction.

use candle_core::{D, DType, Tensor, bail};

use crate::Result;
use crate::numeric::{broadcast, finish, float, same_kind, widen};

/// Directional ablation: takes out what the value holds along `direction` in its last dimension,
/// `x − (x·d)d / |d|²`, so that nothing can be read along it any more.
///
/// `direction` is `[channel]` for every token of [batch, token, channel], or anything that broadcasts to the value's shape
/// with the whole of the last dimension. Its length does not matter. Source: Arditi et al., *Refusal in language models is
/// mediated by a single direction* (2024), section 2.4.
///
/// # Errors
/// A direction of another width than the last dimension, of length 0 or not finite, of another dtype or on another device,
/// and integers. (To look at its length, the direction is read from the device.)
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[[3f32, 5.]], &Device::Cpu)?;
/// let d = Tensor::new(&[0f32, 2.], &Device::Cpu)?;
/// assert_eq!(taper::interventions::project_out(&d)(&x)?.to_vec2::<f32>()?, [[3., 0.]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn project_out(direction: &Tensor) -> impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + use<> {
    let direction = direction.clone();
    move |x| {
        let along = along("project_out", x, &direction)?;
        finish(x, &(widen(x)? - along)?)
    }
}

/// Keeps only what the value holds along `direction` in its last dimension, `(x·d)d / |d|²`: with [`project_out`] of the
/// same direction it adds up to the value.
///
/// # Errors
/// Those of [`project_out`].
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[[3f32, 5.]], &Device::Cpu)?;
/// let d = Tensor::new(&[0f32, 2.], &Device::Cpu)?;
/// assert_eq!(taper::interventions::project_onto(&d)(&x)?.to_vec2::<f32>()?, [[0., 5.]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn project_onto(direction: &Tensor) -> impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + use<> {
    let direction = direction.clone();
    move |x| finish(x, &along("project_onto", x, &direction)?)
}

/// The part of `x` along the direction, in the dtype to compute in.
fn along(what: &str, x: &Tensor, direction: &Tensor) -> Result<Tensor> {
    float(what, x)?;
    same_kind(what, x, direction)?;
    let width = x.dim(D::Minus1)?;
    if direction.dims().last() != Some(&width) {
        bail!(
            "`{what}`: the direction has shape {:?}, and the value {:?}: its last dimension must be {width}",
            direction.dims(),
            x.dims()
        );
    }
    let unit = broadcast(what, &unit(what, direction)?, x)?;
    let x = widen(x)?;
    let held = (&x * &unit)?.sum_keepdim(D::Minus1)?;
    held.broadcast_mul(&unit)
}

/// Of length 1 along the last dimension.
fn unit(what: &str, direction: &Tensor) -> Result<Tensor> {
    let direction = widen(direction)?;
    if direction.elem_count() == 0 {
        return Ok(direction);
    }
    points_somewhere(what, &direction)?;
    // Divided by its largest element first: squares of small or large ones leave the range of f32.
    let largest = direction.detach().abs()?.contiguous()?.max_keepdim(D::Minus1)?;
    let scaled = direction.broadcast_div(&largest)?;
    scaled.broadcast_div(&scaled.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)
}

fn points_somewhere(what: &str, direction: &Tensor) -> Result<()> {
    let values = direction.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    if let Some(value) = values.iter().find(|value| !value.is_finite()) {
        bail!("`{what}`: a direction (shape {:?}) holds {value}: use finite numbers", direction.dims());
    }
    let width = direction.dim(D::Minus1)?;
    if values.chunks(width).any(|direction| direction.iter().all(|&value| value == 0.)) {
        bail!("`{what}`: a direction (shape {:?}) has length 0 and points nowhere: use another", direction.dims());
    }
    Ok(())
}
