//! The network: attention and nothing else, twice; positions are rotary (Su et al. 2021, "RoFormer").

use candle_core::{Device, Result, Tensor};
use candle_nn::{Embedding, LayerNorm, Linear, Module, embedding, layer_norm_no_bias, linear, linear_no_bias};
use taper::{Model, forward};

/// The number of tokens that there are.
pub(crate) const VOCAB: u32 = 64;
/// The number of blocks.
pub(crate) const LAYERS: usize = 2;
/// Heads in each block.
pub(crate) const HEADS: usize = 8;
/// The width of the stream.
const WIDTH: usize = 64;
const HEAD_WIDTH: usize = WIDTH / HEADS;

/// What attention needs to know about positions.
pub(crate) struct Positions {
    /// Of the angle by which each pair of channels is turned: [token, channel of the head / 2].
    cos: Tensor,
    sin: Tensor,
    /// −∞ where the key is later than the query, else 0: [query, key].
    mask: Tensor,
}

impl Positions {
    fn new(len: usize) -> Result<Self> {
        let half = HEAD_WIDTH / 2;
        let angle = |i: usize| (i / half) as f32 / 1e4f32.powf((i % half) as f32 / half as f32);
        let angles = Tensor::from_iter((0..len * half).map(angle), &Device::Cpu)?.reshape((len, half))?;
        let entry = |at: usize| if at % len > at / len { f32::NEG_INFINITY } else { 0.0 };
        let mask = Tensor::from_iter((0..len * len).map(entry), &Device::Cpu)?.reshape((len, len))?;
        Ok(Self { cos: angles.cos()?, sin: angles.sin()?, mask })
    }

    /// Turns each pair of channels of `x`, [batch, head, token, channel of the head], by its position.
    fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        taper::ops::rope(x, &self.cos, &self.sin)
    }
}

/// Causal self-attention.
#[derive(Model)]
pub(crate) struct Attention {
    #[load(linear(WIDTH, 3 * WIDTH))]
    pub(crate) qkv: Linear,
    #[load(linear(WIDTH, WIDTH))]
    pub(crate) proj: Linear,
}

#[forward]
impl Attention {
    pub(crate) fn forward(&self, x: &Tensor, positions: &Positions) -> Result<Tensor> {
        let (batch, token, _) = x.dims3()?;
        let qkv = self.qkv.forward(x)?.reshape((batch, token, 3, HEADS, HEAD_WIDTH))?.permute((2, 0, 3, 1, 4))?;
        let q = positions.rotate(&qkv.get(0)?.contiguous()?)?;
        let k = positions.rotate(&qkv.get(1)?.contiguous()?)?;
        let scores = (q.matmul(&k.t()?)? / (HEAD_WIDTH as f64).sqrt())?.broadcast_add(&positions.mask)?;
        /// How much each position reads of each: [batch, head, query, key].
        #[tap]
        let pattern = taper::ops::softmax_last_dim(&scores)?;
        /// What each head read: [batch, head, token, channel of the head].
        #[tap]
        let z = pattern.matmul(&qkv.get(2)?.contiguous()?)?;
        z.transpose(1, 2)?.flatten_from(2)?.apply(&self.proj)
    }
}

/// Reads the normalized stream and adds to it. Norms have no bias: candle's with one drops gradients, so it could not be
/// trained by its plain `forward`.
#[derive(Model)]
pub(crate) struct Block {
    #[load(layer_norm_no_bias(WIDTH, 1e-5))]
    pub(crate) norm: LayerNorm,
    pub(crate) attn: Attention,
}

#[forward]
impl Block {
    pub(crate) fn forward(&self, x: &Tensor, positions: &Positions) -> Result<Tensor> {
        x + self.attn.forward(&self.norm.forward(x)?, positions)?
    }
}

/// Token numbers [batch, token] in, the logits of the token after each [batch, token, vocabulary] out.
#[derive(Model)]
pub(crate) struct AttentionOnly {
    #[load(embedding(VOCAB as usize, WIDTH))]
    pub(crate) embed: Embedding,
    #[load(each(LAYERS))]
    pub(crate) blocks: Vec<Block>,
    #[load(layer_norm_no_bias(WIDTH, 1e-5))]
    pub(crate) norm: LayerNorm,
    #[load(linear_no_bias(WIDTH, VOCAB as usize))]
    pub(crate) unembed: Linear,
}

#[forward]
impl AttentionOnly {
    pub(crate) fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let positions = Positions::new(ids.dims2()?.1)?;
        let mut x = self.embed.forward(ids)?;
        for block in &self.blocks {
            x = block.forward(&x, &positions)?;
        }
        self.unembed.forward(&self.norm.forward(&x)?)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::{VarBuilder, VarMap};

    use super::*;

    #[test]
    fn the_model_checks_itself() -> Result<()> {
        let vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
        let x = Tensor::new(&[[1u32, 2, 3, 1, 2, 3], [5, 4, 9, 5, 4, 9]], &Device::Cpu)?;
        taper::check(&AttentionOnly::load(vb)?, &x)?;
        Ok(())
    }
}
