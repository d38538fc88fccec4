use std::sync::Arc;

use candle_core::quantized::{QMatMul, QTensor};
use candle_core::{Module, Result, Tensor};

use super::graft::{Backward, differentiable, wanted, widened};

/// `x` times the transposed quantized `weight`: [.., in] and [out, in] to [.., out].
///
/// Bitwise candle's [`QMatMul`], which drops gradients. The gradient with respect to `x` is that of the dequantized weight,
/// which is made for it and dropped again. Rows of `x` are quantized too on the way, so that the values are those of a
/// product with the dequantized weight but for the rounding of it.
///
/// # Errors
/// An `x` whose last dimension is not `in`, or which has one dimension only.
pub fn quantized_matmul(x: &Tensor, weight: &Arc<QTensor>) -> Result<Tensor> {
    let x = x.contiguous()?;
    let matmul = QMatMul::QTensor(Arc::clone(weight));
    differentiable([&x], Product(Arc::clone(weight)), || matmul.forward(&x.detach()))
}

struct Product(Arc<QTensor>);

impl Backward<1> for Product {
    const NAME: &'static str = "quantized_matmul";

    fn backward(&self, [x]: [&Tensor; 1], _: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 1]> {
        let grad = wanted(x, || {
            let weight = self.0.dequantize(x.device())?;
            widened(grad)?.contiguous()?.broadcast_matmul(&weight)?.to_dtype(x.dtype())
        })?;
        Ok([grad])
    }
}
