//! Blocks that normalize what they read: of ViT, CLIP, T5 and Whisper, whatever their norms `N` and their MLPs `M` are.

use candle_core::{Result, Tensor};
use taper::{Layer, Model, forward};

use super::attention::{Attention, CausalAttention, CrossAttention};
use crate::past::KeysValues;
use crate::source::Reads;

/// Attention and an MLP, each reading the normalized stream and adding to it. Its output is the stream after the MLP.
#[derive(Clone, Debug, Model)]
pub struct EncoderBlock<N: Layer, M: Layer> {
    /// What the attention reads: [batch, token, channel].
    pub ln_1: N,
    /// Reads other tokens.
    pub attn: Attention,
    /// What the MLP reads: [batch, token, channel].
    pub ln_2: N,
    /// Reads the token itself.
    pub mlp: M,
}

#[forward]
impl<N: Layer, M: Layer> EncoderBlock<N, M> {
    /// `x`: the stream, [batch, token, channel], to the same. `mask`: added to the scores, of any shape that broadcasts to
    /// [batch, head, query, key]; every token reads every other without.
    pub fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        /// The stream after the attention: [batch, token, channel].
        #[tap]
        let after_attn = (x + self.attn.forward(&self.ln_1.forward(x)?, mask)?)?;
        &after_attn + self.mlp.forward(&self.ln_2.forward(&after_attn)?)?
    }
}

/// Attention, attention to what an encoder made, and an MLP, each reading the normalized stream and adding to it. Its output
/// is the stream after the MLP.
#[derive(Clone, Debug, Model)]
pub struct DecoderBlock<N: Layer, M: Layer> {
    /// What the attention reads: [batch, token, channel].
    pub ln_1: N,
    /// Reads other tokens.
    pub attn: CausalAttention,
    /// What the queries of the cross-attention are made of: [batch, token, channel].
    pub ln_cross: N,
    /// Reads what the encoder made.
    pub cross_attn: CrossAttention,
    /// What the MLP reads: [batch, token, channel].
    pub ln_2: N,
    /// Reads the token itself.
    pub mlp: M,
}

#[forward]
impl<N: Layer, M: Layer> DecoderBlock<N, M> {
    /// `x`: the stream, [batch, token, channel], to the same. `mask`: added to the scores of the self-attention, of any shape
    /// that broadcasts to [batch, head, query, key]; `padding`: [batch, 1, 1, key], added to those of the cross-attention.
    pub fn forward(
        &self,
        x: &Tensor,
        mask: &Tensor,
        past: Option<&KeysValues>,
        source: Reads<'_>,
        padding: Option<&Tensor>,
    ) -> Result<Tensor> {
        /// The stream after the self-attention: [batch, token, channel].
        #[tap]
        let after_attn = (x + self.attn.forward(&self.ln_1.forward(x)?, mask, past)?)?;
        /// The stream after the cross-attention: [batch, token, channel].
        #[tap]
        let after_cross =
            (&after_attn + self.cross_attn.forward(&self.ln_cross.forward(&after_attn)?, source, padding)?)?;
        &after_cross + self.mlp.forward(&self.ln_2.forward(&after_cross)?)?
    }
}
