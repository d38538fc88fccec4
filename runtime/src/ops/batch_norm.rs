use candle_core::{CpuStorage, CustomOp3, DType, Layout, Result, Shape, Tensor, bail};
use pulp::Simd;

use super::check::{floats, same_type};
use super::graft::wanted;
use super::vectors::{OnRow, in_order, math, on_rows};

const OP: &str = "batch_norm";

/// Batch normalization with statistics that are known, as in evaluation: each channel minus its mean, divided by the square
/// root of its variance plus `eps`, times its weight, plus its bias.
///
/// `x`: `[batch, channel, …]`; `mean`, `var`, `weight` and `bias`: `[channel]`; to the shape of `x`, contiguous.
///
/// PyTorch's `F.batch_norm(x, mean, var, weight, bias, eps=eps)`, and computed as there: once over `x`, with what it is
/// multiplied by and what is added. [`candle_nn::BatchNorm`] goes over it four times. Gradients flow to every input.
///
/// ```
/// # use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[[[1f32, 2.]], [[3., 5.]]], &Device::Cpu)?;
/// let of = |number: f32| Tensor::new(&[number], &Device::Cpu);
/// let y = taper::ops::batch_norm(&x, &of(1.)?, &of(4.)?, &of(6.)?, &of(0.5)?, 0.)?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [0.5, 3.5, 6.5, 12.5]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// Shapes, types and devices that don't fit.
pub fn batch_norm(x: &Tensor, mean: &Tensor, var: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    floats(OP, x)?;
    let &[_, channels, ..] = x.dims() else { bail!("`{OP}`: `x`, {:?}, is not [batch, channel, …]", x.shape()) };
    let [scale, shift] = scale_and_shift(x, channels, [mean, var, weight, bias], eps)?;
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        return x.contiguous()?.apply_op3(&scale, &shift, OfChannels);
    }
    x.broadcast_mul(&of_channels(&scale, x)?)?.broadcast_add(&of_channels(&shift, x)?)
}

/// What each of so many channels is multiplied by, and what is added.
pub(super) fn scale_and_shift(
    x: &Tensor,
    channels: usize,
    [mean, var, weight, bias]: [&Tensor; 4],
    eps: f64,
) -> Result<[Tensor; 2]> {
    for (name, value) in [("mean", mean), ("var", var), ("weight", weight), ("bias", bias)] {
        same_type(OP, ("x", x), (name, value))?;
        if value.dims() != [channels] {
            bail!("`{OP}`: `{name}` is {:?} where `x`, {:?}, asks for [{channels}]", value.shape(), x.shape());
        }
    }
    let scale = (weight / (var + eps)?.sqrt()?)?;
    let shift = (bias - (mean * &scale)?)?;
    Ok([scale, shift])
}

/// One number a channel, in a shape that goes with that of `x`.
fn of_channels(numbers: &Tensor, x: &Tensor) -> Result<Tensor> {
    let mut shape = vec![1; x.rank()];
    shape[1] = numbers.elem_count();
    numbers.reshape(shape)
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
        let width = x_at.shape().dims()[2..].iter().product();
        let y = on_rows(&ScaleShift { scale, shift }, width, in_order(self.name(), x, x_at)?);
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
        let sum = |grad: Tensor| {
            let but_channels: Vec<usize> = (0..grad.rank()).filter(|&dim| dim != 1).collect();
            grad.sum(but_channels)
        };
        Ok((
            wanted(x, || grad.broadcast_mul(&of_channels(scale, x)?))?,
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
    fn row<S: Simd, const FMA: bool>(&self, _: S, index: usize, row: &mut [f32]) {
        let channel = index % self.scale.len();
        let (scale, shift) = (self.scale[channel], self.shift[channel]);
        for x in row {
            *x = math::mul_add::<FMA>(*x, scale, shift);
        }
    }
}
