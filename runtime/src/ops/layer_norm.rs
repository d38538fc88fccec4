use candle_core::{CpuStorage, CustomOp3, D, DType, Layout, Result, Shape, Tensor};
use pulp::Simd;

use super::check::{contiguous, fits};
use super::graft::{Backward, differentiable, wanted, widened};
use super::vectors::{Itself, OnRow, SquareBeyond, in_order, math, on_rows, sum};

/// Layer normalization of the last dimension: each row of `x` minus its mean, divided by the square root of its variance
/// plus `eps`, times `weight`, plus `bias`.
///
/// `x`: any shape; `weight` and `bias`: `[width]` for a last dimension of that width; to the shape of `x`. In half
/// precision the rows are normalized in single precision.
///
/// PyTorch's `F.layer_norm(x, x.shape[-1:], weight, bias, eps)`. In `f32` on the CPU the variance is the mean of the squared
/// deviations. Elsewhere it is bitwise [`candle_nn::ops::layer_norm`], which drops gradients, and computes the variance as
/// the mean of the squares minus the square of the mean: that has few digits left where the mean is much larger than the
/// deviations, and the gradients are computed without that loss. `f64`, which candle's kernel takes on CUDA only, is
/// [`layer_norm_slow`](candle_nn::ops::layer_norm_slow) elsewhere.
///
/// ```
/// # use taper::candle_core::{Device, Tensor, Var};
/// let x = Tensor::new(&[[1f32, 3.], [6., 2.]], &Device::Cpu)?;
/// let weight = Var::new(&[2f32, 2.], &Device::Cpu)?;
/// let bias = Var::new(&[0f32, 1.], &Device::Cpu)?;
/// let y = taper::ops::layer_norm(&x, &weight, &bias, 0.)?;
/// assert_eq!(y.to_vec2::<f32>()?, [[-2., 3.], [2., -1.]]);
///
/// let gradients = y.sum_all()?.backward()?;
/// assert_eq!(gradients.get(&weight).unwrap().to_vec1::<f32>()?, [0., 0.]);
/// assert_eq!(gradients.get(&bias).unwrap().to_vec1::<f32>()?, [2., 2.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// Shapes, types and devices that don't fit, a tensor that is not contiguous, a last dimension that is empty.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f32) -> Result<Tensor> {
    contiguous(LayerNorm::NAME, "x", x)?;
    fits(LayerNorm::NAME, x, "weight", weight)?;
    fits(LayerNorm::NAME, x, "bias", bias)?;
    if x.dtype() == DType::F64 && !x.device().is_cuda() {
        return candle_nn::ops::layer_norm_slow(x, weight, bias, eps);
    }
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        let fast = || x.apply_op3_no_bwd(weight, bias, &LayerNorm { eps });
        return differentiable([x, weight, bias], LayerNorm { eps }, fast);
    }
    fused_layer_norm(x, weight, bias, eps)
}

/// candle's fused operation, with its errors.
pub(crate) fn fused_layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f32) -> Result<Tensor> {
    differentiable([x, weight, bias], LayerNorm { eps }, || candle_nn::ops::layer_norm(x, weight, bias, eps))
}

pub(super) struct LayerNorm {
    pub(super) eps: f32,
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_at: &Layout,
        weight: &CpuStorage,
        weight_at: &Layout,
        bias: &CpuStorage,
        bias_at: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (weight, bias) = (in_order(Self::NAME, weight, weight_at)?, in_order(Self::NAME, bias, bias_at)?);
        let rows = Rows { weight, bias, eps: self.eps };
        let y = on_rows(&rows, weight.len(), in_order(Self::NAME, x, x_at)?);
        Ok((CpuStorage::F32(y), x_at.shape().clone()))
    }
}

struct Rows<'a> {
    weight: &'a [f32],
    bias: &'a [f32],
    eps: f32,
}

impl OnRow for Rows<'_> {
    #[inline(always)]
    fn row<S: Simd, const FMA: bool>(&self, simd: S, _: usize, row: &mut [f32]) {
        let len = row.len() as f32;
        let mean = sum(simd, row, Itself) / len;
        let var = sum(simd, row, SquareBeyond(mean)) / len;
        let scale = 1. / (var + self.eps).sqrt();
        for ((x, weight), bias) in row.iter_mut().zip(self.weight).zip(self.bias) {
            *x = math::mul_add::<FMA>((*x - mean) * scale, *weight, *bias);
        }
    }
}

impl Backward<3> for LayerNorm {
    const NAME: &'static str = "layer_norm";

    fn backward(&self, inputs: [&Tensor; 3], _: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 3]> {
        let [x, weight, bias] = inputs;
        let grad = widened(grad)?;
        let wide = widened(x)?;
        let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
        let (normed, scale) = normed(&centred, self.eps)?;
        Ok([
            wanted(x, || {
                let grad = grad_of_normed(&grad, weight, &normed, &scale)?;
                grad.broadcast_sub(&grad.mean_keepdim(D::Minus1)?)?.to_dtype(x.dtype())
            })?,
            wanted(weight, || sum_of_rows(&(&grad * &normed)?)?.to_dtype(weight.dtype()))?,
            wanted(bias, || sum_of_rows(&grad)?.to_dtype(bias.dtype()))?,
        ])
    }
}

/// Each row of `x` times a scale that makes the mean of its squares 1 but for `eps`; and the scales.
pub(super) fn normed(x: &Tensor, eps: f32) -> Result<(Tensor, Tensor)> {
    let scale = (x.sqr()?.mean_keepdim(D::Minus1)? + f64::from(eps))?.sqrt()?.recip()?;
    Ok((x.broadcast_mul(&scale)?, scale))
}

/// From the gradient of the output to that of the input of [`normed`]: what changes a row's length has no effect.
pub(super) fn grad_of_normed(grad: &Tensor, weight: &Tensor, normed: &Tensor, scale: &Tensor) -> Result<Tensor> {
    let grad = grad.broadcast_mul(&widened(weight)?)?;
    let along = (&grad * normed)?.mean_keepdim(D::Minus1)?;
    (grad - normed.broadcast_mul(&along)?)?.broadcast_mul(scale)
}

/// Over all dimensions but the last.
pub(super) fn sum_of_rows(x: &Tensor) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    x.reshape((x.elem_count() / width, width))?.sum(0)
}
