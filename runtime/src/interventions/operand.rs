//! Interventions that differ from site to site.

use candle_core::Tensor;

use crate::Result;

/// For `edit_with`: the intervention that `make` makes of each site's own operand. `with(project_out)` takes out a
/// direction of its own at every site, `with(|v| add(4., v))` adds a steering vector of its own.
///
/// # Errors
/// Those of the intervention.
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// use taper::interventions::{add, with};
///
/// let steer = with(|v| add(4., v));
/// let x = Tensor::new(&[[1f32, 2.]], &Device::Cpu)?;
/// let v = Tensor::new(&[1f32, 0.], &Device::Cpu)?;
/// assert_eq!(steer(&x, &v)?.to_vec2::<f32>()?, [[5., 2.]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn with<M, F>(make: M) -> impl Fn(&Tensor, &Tensor) -> Result<Tensor> + Send + Sync
where
    M: Fn(&Tensor) -> F + Send + Sync,
    F: Fn(&Tensor) -> Result<Tensor>,
{
    move |x, operand| make(operand)(x)
}
