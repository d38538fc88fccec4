use candle_core::{CpuStorage, CustomOp3, D, DType, Layout, Result, Shape, Tensor, bail};
use pulp::Simd;

use crate::ops::batch_norm::scale_and_shift;
use crate::ops::check::floats;
use crate::ops::graft::wanted;
use crate::ops::vectors::{OnRow, in_order, math, on_rows};

/// Batch normalization with statistics that are known, as in evaluation, of channels that come last: each minus its mean,
/// divided by the square root of its variance plus `eps`, times its weight, plus its bias.
///
/// `x`: `[…, channel]`; `mean`, `var`, `weight` and `bias`: `[channel]`; to the shape of `x`, contiguous.
///
/// TensorFlow's `FusedBatchNormV3` with `is_training=False`; [`batch_norm`](crate::ops::batch_norm()) of channels that come
/// second. Gradients flow to every input.
///
/// ```
/// # use taper::candle_core::{Device, Tensor};
/// let of = |numbers: [f32; 2]| Tensor::new(&numbers, &Device::Cpu);
/// let x = Tensor::new(&[[1f32, 2.], [3., 5.]], &Device::Cpu)?;
/// let (mean, var, weight, bias) = (of([1., 2.])?, of([4., 1.])?, of([6., 1.])?, of([0.5, 0.])?);
/// let y = taper::ops::channels_last::batch_norm(&x, &mean, &var, &weight, &bias, 0.)?;
/// assert_eq!(y.to_vec2::<f32>()?, [[0.5, 0.], [6.5, 3.]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// Shapes, types and devices that don't fit.
pub fn batch_norm(x: &Tensor, mean: &Tensor, var: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    const OP: &str = "batch_norm";
    floats(OP, x)?;
    let Ok(channels) = x.dim(D::Minus1) else { bail!("`{OP}`: `x` is a single number, not […, channel]") };
    let [scale, shift] = scale_and_shift(x, channels, [mean, var, weight, bias], eps)?;
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        return x.contiguous()?.apply_op3(&scale, &shift, OfChannels);
    }
    x.broadcast_mul(&scale)?.broadcast_add(&shift)
}

/// Each channel times a number, plus a number.
struct OfChannels;

impl CustomOp3 for OfChannels {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_at: &Layout,
        scale: &CpuStorage,
        scale_at: &Layout,
        shift: &CpuStorage,
        shift_at: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (scale, shift) = (in_order(self.name(), scale, scale_at)?, in_order(self.name(), shift, shift_at)?);
        let y = on_rows(&ScaleShift { scale, shift }, scale.len(), in_order(self.name(), x, x_at)?);
        Ok((CpuStorage::F32(y), x_at.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        scale: &Tensor,
        shift: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let sum = |grad: Tensor| grad.sum((0..grad.rank() - 1).collect::<Vec<_>>());
        Ok((
            wanted(x, || grad.broadcast_mul(scale))?,
            wanted(scale, || sum((grad * x)?))?,
            wanted(shift, || sum(grad.clone()))?,
        ))
    }
}

struct ScaleShift<'a> {
    scale: &'a [f32],
    shift: &'a [f32],
}

impl OnRow for ScaleShift<'_> {
    #[inline(always)]
    fn row<S: Simd, const FMA: bool>(&self, _: S, _: usize, row: &mut [f32]) {
        for ((x, &scale), &shift) in row.iter_mut().zip(self.scale).zip(self.shift) {
            *x = math::mul_add::<FMA>(*x, scale, shift);
        }
    }
}
