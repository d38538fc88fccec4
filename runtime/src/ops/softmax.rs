use candle_core::{CpuStorage, CustomOp1, D, DType, Layout, Result, Shape, Tensor};
use pulp::Simd;

use super::check::{at_least_one, contiguous};
use super::graft::{Backward, differentiable, wanted, widened};
use super::vectors::{Itself, OnRow, in_order, largest, math, on_rows, sum};

/// Softmax over the last dimension: any shape to the same shape, each row of the last dimension summing to 1.
///
/// PyTorch's `softmax(x, dim=-1)`: a row that is −∞ throughout gives NaN. In `f32` on the CPU within 1e-6 of each value, and
/// in vectors; elsewhere bitwise [`candle_nn::ops::softmax_last_dim`], which drops gradients.
///
/// ```
/// # use taper::candle_core::{Device, Tensor, Var};
/// let x = Var::new(&[[0f32, 0.], [1., 1.]], &Device::Cpu)?;
/// let y = taper::ops::softmax_last_dim(&x)?;
/// assert_eq!(y.to_vec2::<f32>()?, [[0.5, 0.5], [0.5, 0.5]]);
///
/// let first = y.narrow(1, 0, 1)?.sum_all()?;
/// let gradients = first.backward()?;
/// assert_eq!(gradients.get(&x).unwrap().to_vec2::<f32>()?, [[0.25, -0.25], [0.25, -0.25]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// An `x` that is not contiguous, has no dimension, or whose last dimension is empty.
pub fn softmax_last_dim(x: &Tensor) -> Result<Tensor> {
    contiguous(Softmax::NAME, "x", x)?;
    at_least_one(Softmax::NAME, x)?;
    if x.device().is_cpu() && x.dtype() == DType::F32 {
        return differentiable([x], Softmax, || x.apply_op1_no_bwd(&Softmax));
    }
    differentiable([x], Softmax, || candle_nn::ops::softmax_last_dim(x))
}

struct Softmax;

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn cpu_fwd(&self, x: &CpuStorage, at: &Layout) -> Result<(CpuStorage, Shape)> {
        let y = on_rows(self, at.shape().dims()[at.shape().rank() - 1], in_order(Self::NAME, x, at)?);
        Ok((CpuStorage::F32(y), at.shape().clone()))
    }
}

impl OnRow for Softmax {
    #[inline(always)]
    fn row<S: Simd, const FMA: bool>(&self, simd: S, _: usize, row: &mut [f32]) {
        let largest = largest(simd, row);
        for x in row.iter_mut() {
            *x = math::exp_below_one::<FMA>(*x - largest);
        }
        let scale = 1. / sum(simd, row, Itself);
        for y in row {
            *y *= scale;
        }
    }
}

impl Backward<1> for Softmax {
    const NAME: &'static str = "softmax_last_dim";

    fn backward(&self, [x]: [&Tensor; 1], output: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 1]> {
        let grad = wanted(x, || {
            let (y, grad) = (widened(output)?, widened(grad)?);
            let product = (&y * grad)?;
            let grad = (&product - y.broadcast_mul(&product.sum_keepdim(D::Minus1)?)?)?;
            grad.to_dtype(x.dtype())
        })?;
        Ok([grad])
    }
}
