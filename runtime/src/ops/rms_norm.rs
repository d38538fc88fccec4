use candle_core::{CpuStorage, CustomOp2, DType, Layout, Result, Shape, Tensor};
use pulp::Simd;

use super::check::{contiguous, fits};
use super::graft::{Backward, differentiable, wanted, widened};
use super::layer_norm::{grad_of_normed, normed, sum_of_rows};
use super::vectors::{OnRow, SquareBeyond, in_order, on_rows, sum};

/// Root-mean-square normalization of the last dimension: each row of `x` divided by the square root of the mean of its
/// squares plus `eps`, times `weight`.
///
/// `x`: any shape; `weight`: `[width]` for a last dimension of that width; to the shape of `x`.
///
/// PyTorch's `F.rms_norm(x, x.shape[-1:], weight, eps)`. But for `f32` on the CPU, bitwise [`candle_nn::ops::rms_norm`],
/// which drops gradients; `f64`, which candle's kernel takes on CUDA only, is
/// [`rms_norm_slow`](candle_nn::ops::rms_norm_slow) elsewhere.
///
/// ```
/// # use taper::candle_core::{Device, Tensor, Var};
/// let x = Tensor::new(&[[1f32, -1.], [2., 2.]], &Device::Cpu)?;
/// let weight = Var::new(&[1f32, 3.], &Device::Cpu)?;
/// let y = taper::ops::rms_norm(&x, &weight, 0.)?;
/// assert_eq!(y.to_vec2::<f32>()?, [[1., -3.], [1., 3.]]);
///
/// let gradients = y.sum_all()?.backward()?;
/// assert_eq!(gradients.get(&weight).unwrap().to_vec1::<f32>()?, [2., 0.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// Shapes, types and devices that don't fit, a tensor that is not contiguous, a last dimension that is empty.
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f32) -> Result<Tensor> {
    contiguous(RmsNorm::NAME, "x", x)?;
    fits(RmsNorm::NAME, x, "weight", weight)?;
    if x.dtype() == DType::F64 && !x.device().is_cuda() {
        return candle_nn::ops::rms_norm_slow(x, weight, eps);
    }
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        return differentiable([x, weight], RmsNorm { eps }, || x.apply_op2_no_bwd(weight, &RmsNorm { eps }));
    }
    fused_rms_norm(x, weight, eps)
}

/// candle's fused operation, with its errors.
pub(crate) fn fused_rms_norm(x: &Tensor, weight: &Tensor, eps: f32) -> Result<Tensor> {
    differentiable([x, weight], RmsNorm { eps }, || candle_nn::ops::rms_norm(x, weight, eps))
}

pub(super) struct RmsNorm {
    pub(super) eps: f32,
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_at: &Layout,
        weight: &CpuStorage,
        weight_at: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let weight = in_order(Self::NAME, weight, weight_at)?;
        let rows = Rows { weight, eps: self.eps };
        let y = on_rows(&rows, weight.len(), in_order(Self::NAME, x, x_at)?);
        Ok((CpuStorage::F32(y), x_at.shape().clone()))
    }
}

struct Rows<'a> {
    weight: &'a [f32],
    eps: f32,
}

impl OnRow for Rows<'_> {
    #[inline(always)]
    fn row<S: Simd, const FMA: bool>(&self, simd: S, _: usize, row: &mut [f32]) {
        let scale = 1. / (sum(simd, row, SquareBeyond(0.)) / row.len() as f32 + self.eps).sqrt();
        for (x, weight) in row.iter_mut().zip(self.weight) {
            *x = *x * scale * weight;
        }
    }
}

impl Backward<2> for RmsNorm {
    const NAME: &'static str = "rms_norm";

    fn backward(&self, [x, weight]: [&Tensor; 2], _: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 2]> {
        let grad = widened(grad)?;
        let (normed, scale) = normed(&widened(x)?, self.eps)?;
        Ok([
            wanted(x, || grad_of_normed(&grad, weight, &normed, &scale)?.to_dtype(x.dtype()))?,
            wanted(weight, || sum_of_rows(&(&grad * &normed)?)?.to_dtype(weight.dtype()))?,
        ])
    }
}
