//! Functions of each element by itself.
//!
//! candle's kernels for these take one number after the other, on one thread. On the CPU, `f32` is computed here in vectors
//! and on candle's threads; half precision by way of `f32`, rounded once. Elsewhere candle computes.

mod exp;
mod gelu;
mod gelu_tanh;
mod normal_cdf;
mod quick_gelu;
mod relu;
mod relu6;
mod sigmoid;
mod silu;
mod tanh;

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor};

use super::check::floats;
use super::graft::{Backward, differentiable, wanted, widened};
use super::vectors::{Function, in_order, map, math};

pub use exp::exp;
pub use gelu::gelu;
pub use gelu_tanh::gelu_tanh;
pub use quick_gelu::quick_gelu;
pub use relu::relu;
pub use relu6::relu6;
pub use sigmoid::sigmoid;
pub use silu::silu;
pub use tanh::tanh;

/// An elementwise function with its derivative.
trait Elementwise: Function {
    /// The function's name, for errors.
    const NAME: &'static str;

    /// The same by candle, for what is not computed here.
    fn candle(x: &Tensor) -> Result<Tensor>;

    /// The derivative at `x`, where the function is `y`, of operations that have gradients themselves.
    fn slope(x: &Tensor, y: &Tensor) -> Result<Tensor>;
}

/// `function` of each element of `x`, with its gradient.
fn elementwise<F: Elementwise>(function: F, x: &Tensor) -> Result<Tensor> {
    floats(F::NAME, x)?;
    if !x.device().is_cpu() {
        return differentiable([x], OfEach(function), || F::candle(&x.detach()));
    }
    match x.dtype() {
        DType::F32 => {
            let x = &x.contiguous()?;
            differentiable([x], OfEach(function), || x.apply_op1_no_bwd(&OfEach(function)))
        }
        DType::F16 | DType::BF16 => elementwise(function, &x.to_dtype(DType::F32)?)?.to_dtype(x.dtype()),
        _ => differentiable([x], OfEach(function), || F::candle(&x.detach())),
    }
}

struct OfEach<F>(F);

impl<F: Elementwise> CustomOp1 for OfEach<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let ys = map(self.0, in_order(F::NAME, storage, layout)?);
        Ok((CpuStorage::F32(ys), layout.shape().clone()))
    }
}

impl<F: Elementwise> Backward<1> for OfEach<F> {
    const NAME: &'static str = F::NAME;

    fn backward(&self, [x]: [&Tensor; 1], y: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 1]> {
        let grad = wanted(x, || {
            let slope = F::slope(&widened(x)?, &widened(y)?)?;
            (widened(grad)? * slope)?.to_dtype(x.dtype())
        })?;
        Ok([grad])
    }
}
