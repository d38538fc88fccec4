use candle_core::{D, Result, Tensor};

use super::graft::{Backward, differentiable};
use super::rotary;

/// Rotary position embedding of the two halves: channel `i` and channel `i + channels / 2` are a pair, which is rotated
/// by the angle of its token.
///
/// `x`: [batch, head, token, channel]; `cos` and `sin` of the angles: [token, channel / 2], with more rows than there are
/// tokens if you like, or [batch, token, channel / 2] where each sequence has its own; to the shape of `x`. The pair
/// (a, b) becomes (a·cos − b·sin, a·sin + b·cos).
///
/// Bitwise [`candle_nn::rotary_emb::rope`], which drops gradients; in PyTorch, `apply_rotary_pos_emb` of Hugging Face's
/// Llama, GPT-NeoX and their kin, whose `cos` and `sin` hold everything twice. Where pairs are neighbours:
/// [`rope_i`](super::rope_i).
///
/// ```
/// # use taper::candle_core::{Device, Tensor, Var};
/// // A quarter turn for the only token.
/// let (cos, sin) = (Tensor::new(&[[0f32, 0.]], &Device::Cpu)?, Tensor::new(&[[1f32, 1.]], &Device::Cpu)?);
/// let x = Var::new(&[[[[1f32, 2., 3., 4.]]]], &Device::Cpu)?;
/// let y = taper::ops::rope(&x, &cos, &sin)?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [-3., -4., 1., 2.]);
///
/// let gradients = y.narrow(3, 0, 1)?.sum_all()?.backward()?;
/// assert_eq!(gradients.get(&x).unwrap().flatten_all()?.to_vec1::<f32>()?, [0., 0., -1., 0.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// Shapes, types and devices that don't fit, a tensor that is not contiguous, an `x` without tokens or channels. Also what candle computes
/// wrongly: `cos` and `sin` of a batch that have more rows than there are tokens, and only one of them of a batch.
pub fn rope(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    rotary::check(Rope::NAME, x, cos, sin)?;
    differentiable([x, cos, sin], Rope, || candle_nn::rotary_emb::rope(x, cos, sin))
}

struct Rope;

impl Backward<3> for Rope {
    const NAME: &'static str = "rope";

    fn backward(&self, inputs: [&Tensor; 3], _: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 3]> {
        rotary::backward(inputs, grad, halves, rope)
    }
}

fn halves(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let half = x.dim(D::Minus1)? / 2;
    Ok((x.narrow(D::Minus1, 0, half)?, x.narrow(D::Minus1, half, half)?))
}
