use candle_core::{Result, Tensor, bail};

use super::product;
use crate::ops::check::{floats, same_type};

/// A linear layer: `x` times the transpose of `weight`, plus `bias`.
///
/// `x`: `[…, in]`; `weight`: `[out, in]`; `bias`: `[out]`; to `[…, out]`, contiguous. Any layout: a weight that is stored as
/// `[in, out]` is given as its `t()`, which costs nothing.
///
/// PyTorch's `F.linear(x, weight, bias)`. On the CPU, `f32` and `f64` are one product of matrices, divided among candle's
/// threads as that of [`matmul`](super::matmul()) is, which adds to the bias; elsewhere it is candle's product and sum.
/// Gradients flow to all three.
///
/// ```
/// # use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[[1f32, 2.]], &Device::Cpu)?;
/// let weight = Tensor::new(&[[1f32, 0.], [3., 4.], [0., 1.]], &Device::Cpu)?;
/// let bias = Tensor::new(&[0f32, 0., 10.], &Device::Cpu)?;
/// let y = taper::ops::linear(&x, &weight, Some(&bias))?;
/// assert_eq!(y.to_vec2::<f32>()?, [[1., 11., 12.]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// Shapes, types and devices that don't fit.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    const OP: &str = "linear";
    floats(OP, x)?;
    same_type(OP, ("x", x), ("weight", weight))?;
    let &[outputs, inputs] = weight.dims() else { bail!("`{OP}`: `weight`, {:?}, is not [out, in]", weight.shape()) };
    let Some((&width, outer)) = x.dims().split_last() else { bail!("`{OP}`: `x` is a single number, not […, in]") };
    if width != inputs {
        bail!("`{OP}`: `weight`, {:?}, reads {inputs} numbers where `x`, {:?}, has {width}", weight.shape(), x.shape());
    }
    if let Some(bias) = bias {
        same_type(OP, ("x", x), ("bias", bias))?;
        if bias.dims() != [outputs] {
            bail!("`{OP}`: `bias` is {:?} where `weight`, {:?}, asks for [{outputs}]", bias.shape(), weight.shape());
        }
    }
    let rows = x.reshape((outer.iter().product::<usize>(), inputs))?;
    product(&rows, &weight.t()?, bias)?.reshape([outer, &[outputs]].concat())
}
