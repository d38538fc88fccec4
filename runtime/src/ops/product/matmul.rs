use candle_core::{Error, Result, Shape, Tensor};

use super::product;
use crate::ops::check::{floats, same_type};

/// Products of matrices.
///
/// `a`: `[…, row, inner]`; `b`: `[…, inner, column]`; to `[…, row, column]`, contiguous. What stands before the last two
/// dimensions broadcasts. Any layout.
///
/// PyTorch's `matmul(a, b)`, for two dimensions at least. On the CPU, `f32` and `f64` are computed by the kernel that
/// [`Tensor::matmul`] calls, but divided among the threads in another way: every thread has blocks of its own, and the
/// caller's thread is one of them. On two threads that takes half to nine tenths of the time of candle's way. Elsewhere it
/// is candle's. Gradients flow to both.
///
/// ```
/// # use taper::candle_core::{Device, Tensor};
/// let a = Tensor::new(&[[[1f32, 2.]], [[3., 4.]]], &Device::Cpu)?;
/// let b = Tensor::new(&[[1f32], [10.]], &Device::Cpu)?;
/// assert_eq!(taper::ops::matmul(&a, &b)?.to_vec3::<f32>()?, [[[21.]], [[43.]]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// Shapes, types and devices that don't fit.
pub fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    const OP: &str = "matmul";
    floats(OP, a)?;
    same_type(OP, ("a", a), ("b", b))?;
    let unfit = |why: &str| {
        let (a, b) = (a.shape(), b.shape());
        Error::Msg(format!("`{OP}`: `a`, {a:?}, and `b`, {b:?}, {why}: […, row, inner] and […, inner, column] do"))
    };
    let ([outer @ .., rows, inner], [b_outer @ .., b_inner, columns]) = (a.dims(), b.dims()) else {
        return Err(unfit("are no matrices"));
    };
    if inner != b_inner {
        return Err(unfit("don't go together"));
    }
    if b_outer.iter().all(|&len| len == 1) && b_outer.len() <= outer.len() {
        // The matrices of `a` one below the other.
        let (all, b) = (outer.iter().product::<usize>() * rows, b.reshape((*inner, *columns))?);
        let a = a.reshape((all, *inner))?;
        return product(&a, &b, None)?.reshape([outer, &[*rows, *columns]].concat());
    }
    let both = Shape::from(outer).broadcast_shape_binary_op(&Shape::from(b_outer), OP);
    let both = both.map_err(|_| unfit("don't broadcast"))?.into_dims();
    let a = a.broadcast_as([&both, &[*rows, *inner][..]].concat())?;
    let b = b.broadcast_as([&both, &[*inner, *columns][..]].concat())?;
    product(&a, &b, None)
}
