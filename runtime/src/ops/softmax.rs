use candle_core::{D, Result, Tensor};

use super::check::{at_least_one, contiguous};
use super::graft::{Backward, differentiable, wanted, widened};

/// Softmax over the last dimension: any shape to the same shape, each row of the last dimension summing to 1.
///
/// Bitwise [`candle_nn::ops::softmax_last_dim`], which drops gradients; PyTorch's `softmax(x, dim=-1)`. A row that is −∞
/// throughout gives NaN, as it does there.
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
    differentiable([x], Softmax, || candle_nn::ops::softmax_last_dim(x))
}

struct Softmax;

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
