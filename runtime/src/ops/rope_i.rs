use candle_core::{D, Result, Tensor};

use super::graft::{Backward, differentiable};
use super::rotary;

/// Rotary position embedding of neighbours (interleaved): channels `2i` and `2i + 1` are a pair, which is rotated by the
/// angle of its token.
///
/// `x`: [batch, head, token, channel]; `cos` and `sin` of the angles: [token, channel / 2], with more rows than there are
/// tokens if you like, or [batch, token, channel / 2] where each sequence has its own; to the shape of `x`. The pair
/// (a, b) becomes (a·cos − b·sin, a·sin + b·cos).
///
/// Bitwise [`candle_nn::rotary_emb::rope_i`], which drops gradients; in PyTorch, the rotation of the paper
/// (<https://arxiv.org/abs/2104.09864>), of GPT-J, and of Meta's own Llama, which writes it with complex numbers. Where pairs
/// are the two halves: [`rope`](super::rope()).
///
/// ```
/// # use taper::candle_core::{Device, Tensor, Var};
/// // A quarter turn for the only token.
/// let (cos, sin) = (Tensor::new(&[[0f32, 0.]], &Device::Cpu)?, Tensor::new(&[[1f32, 1.]], &Device::Cpu)?);
/// let x = Var::new(&[[[[1f32, 2., 3., 4.]]]], &Device::Cpu)?;
/// let y = taper::ops::rope_i(&x, &cos, &sin)?;
/// assert_eq!(y.flatten_all()?.to_vec1::<f32>()?, [-2., 1., -4., 3.]);
///
/// let gradients = y.narrow(3, 0, 1)?.sum_all()?.backward()?;
/// assert_eq!(gradients.get(&x).unwrap().flatten_all()?.to_vec1::<f32>()?, [0., -1., 0., 0.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// Those of [`rope`](super::rope()).
pub fn rope_i(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    rotary::check(RopeI::NAME, x, cos, sin)?;
    differentiable([x, cos, sin], RopeI, || candle_nn::rotary_emb::rope_i(x, cos, sin))
}

struct RopeI;

impl Backward<3> for RopeI {
    const NAME: &'static str = "rope_i";

    fn backward(&self, inputs: [&Tensor; 3], _: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; 3]> {
        rotary::backward(inputs, grad, neighbours, rope_i)
    }
}

fn neighbours(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let (batch, heads, tokens, channels) = x.dims4()?;
    let pairs = x.reshape((batch, heads, tokens, channels / 2, 2))?;
    let side = |at: usize| pairs.narrow(D::Minus1, at, 1)?.squeeze(D::Minus1);
    Ok((side(0)?, side(1)?))
}
