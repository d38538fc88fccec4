//! How alike two tensors are.

use candle_core::Tensor;
use candle_core::shape::Dim;

use crate::Result;
use crate::numeric::{float, same_kind, widen};

/// The cosine of the angle between `a` and `b` along `dim`, which goes: [batch, channel] over the last dimension gives
/// `[batch]`. PyTorch's `cosine_similarity(a, b, dim)`, whose smallest length, 1e-8, it shares: the similarity to a
/// vector of zeros is 0, and its gradient finite.
///
/// The two broadcast to each other's shape; `dim` is counted in that shape.
///
/// # Errors
/// Shapes that do not broadcast, a dimension that is out of range, two dtypes or devices, and integers.
///
/// ```
/// use taper::candle_core::{D, Device, Tensor};
/// use taper::tensors::cosine_similarity;
///
/// let a = Tensor::new(&[[3f32, 4.], [1., 0.]], &Device::Cpu)?;
/// let b = Tensor::new(&[3f32, 0.], &Device::Cpu)?;
/// assert_eq!(cosine_similarity(&a, &b, D::Minus1)?.to_vec1::<f32>()?, [0.6, 1.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn cosine_similarity(a: &Tensor, b: &Tensor, dim: impl Dim) -> Result<Tensor> {
    float("cosine_similarity", a)?;
    same_kind("cosine_similarity", a, b)?;
    let shape = a.shape().broadcast_shape_binary_op(b.shape(), "cosine_similarity")?;
    let dim = dim.to_index(&shape, "cosine_similarity")?;
    let dtype = a.dtype();
    let (a, b) = (widen(a)?.broadcast_as(&shape)?, widen(b)?.broadcast_as(&shape)?);
    let cosine = (unit(&a, dim)? * unit(&b, dim)?)?.sum(dim)?;
    cosine.to_dtype(dtype)
}

/// Of length 1 along `dim`, unless it is shorter than 1e-8.
fn unit(x: &Tensor, dim: usize) -> Result<Tensor> {
    let squared = x.sqr()?.sum_keepdim(dim)?;
    // The bound is taken before the root, whose slope at 0 is infinite.
    let smallest = Tensor::new(1e-16, x.device())?.to_dtype(x.dtype())?.broadcast_as(squared.shape())?;
    let length = squared.lt(&smallest)?.where_cond(&smallest, &squared)?.sqrt()?;
    x.broadcast_div(&length)
}
