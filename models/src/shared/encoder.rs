//! The block of ViT and CLIP, and what it is made of.

use candle_core::{Module, Result, Tensor};
use candle_nn::{Linear, VarBuilder, linear, linear_no_bias};
use taper::layers::{LayerNorm, layer_norm};
use taper::ops::{Mask, attention_output, attention_scores, softmax_last_dim};
use taper::{Model, forward};

use super::{Activation, head_width, merge_heads, split_heads};

/// The sizes of a [`Block`].
#[derive(Clone, Copy, Debug)]
pub struct BlockConfig {
    /// The width of the stream.
    pub width: usize,
    /// The width inside the MLP.
    pub inner: usize,
    /// The number of attention heads, among which the width is divided.
    pub heads: usize,
    /// Whether queries, keys and values have biases.
    pub qkv_bias: bool,
    /// Added to the variance in every layer norm.
    pub epsilon: f64,
    /// The function inside the MLP.
    pub activation: Activation,
}

/// Self-attention with several heads.
#[derive(Clone, Debug, Model)]
#[model(config = BlockConfig)]
pub struct Attention {
    /// The queries of all heads side by side: [batch, token, channel].
    #[load(maybe_biased(cfg.width, cfg.qkv_bias))]
    pub q_proj: Linear,
    /// The keys of all heads side by side: [batch, token, channel].
    #[load(maybe_biased(cfg.width, cfg.qkv_bias))]
    pub k_proj: Linear,
    /// The values of all heads side by side: [batch, token, channel].
    #[load(maybe_biased(cfg.width, cfg.qkv_bias))]
    pub v_proj: Linear,
    /// From the heads back to the stream: [batch, token, channel].
    #[load(linear(cfg.width, cfg.width))]
    pub out_proj: Linear,
    /// The number of heads.
    #[load(value = cfg.heads)]
    pub heads: usize,
    /// What scores are multiplied by: one over the square root of a head's width.
    #[load(value = (head_width(cfg.width, cfg.heads)? as f64).powf(-0.5))]
    pub scale: f64,
}

#[forward]
impl Attention {
    /// `x`: [batch, token, channel], `mask`: [query, key], added to the scores; to [batch, token, channel].
    pub fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        /// [batch, head, token, channel of the head]
        #[tap]
        let q = split_heads(&self.q_proj.forward(x)?, self.heads)?;
        /// [batch, head, token, channel of the head]
        #[tap]
        let k = split_heads(&self.k_proj.forward(x)?, self.heads)?;
        /// [batch, head, token, channel of the head]
        #[tap]
        let v = split_heads(&self.v_proj.forward(x)?, self.heads)?;
        /// Before the softmax: [batch, head, query, key].
        #[tap]
        let scores = attention_scores(&q, &k, self.scale, mask.map_or(Mask::None, Mask::Added))?;
        /// After the softmax: [batch, head, query, key].
        #[tap]
        let pattern = softmax_last_dim(&scores)?;
        /// What each head read: [batch, head, query, channel of the head].
        #[tap]
        let z = attention_output(&pattern, &v)?;
        self.out_proj.forward(&merge_heads(&z)?)
    }
}

/// Two layers with an activation between them, for each token by itself.
#[derive(Clone, Debug, Model)]
#[model(config = BlockConfig)]
pub struct Mlp {
    /// Before the activation: [batch, token, inner].
    #[load(linear(cfg.width, cfg.inner))]
    #[prefix("fc1")]
    pub up: Linear,
    /// Back to the stream: [batch, token, channel].
    #[load(linear(cfg.inner, cfg.width))]
    #[prefix("fc2")]
    pub down: Linear,
    /// What `act` is by.
    #[load(value = cfg.activation)]
    pub activation: Activation,
}

#[forward]
impl Mlp {
    /// `x`: [batch, token, channel] to the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        /// After the activation: [batch, token, inner].
        #[tap]
        let act = self.activation.of(&self.up.forward(x)?)?;
        self.down.forward(&act)
    }
}

/// Attention and an MLP, each reading the normalized stream and adding to it, as in ViT and CLIP. Its output is the stream
/// after the MLP. The names in its files are those of Hugging Face's CLIP.
#[derive(Clone, Debug, Model)]
#[model(config = BlockConfig)]
pub struct Block {
    /// What the attention reads: [batch, token, channel].
    #[load(layer_norm(cfg.width, cfg.epsilon))]
    #[prefix("layer_norm1")]
    pub ln_1: LayerNorm,
    /// Reads other tokens.
    #[prefix("self_attn")]
    pub attn: Attention,
    /// What the MLP reads: [batch, token, channel].
    #[load(layer_norm(cfg.width, cfg.epsilon))]
    #[prefix("layer_norm2")]
    pub ln_2: LayerNorm,
    /// Reads the token itself.
    pub mlp: Mlp,
}

#[forward]
impl Block {
    /// `x`: the stream, [batch, token, channel], to the same. `mask`: [query, key], −∞ where a query may not read a key and
    /// else 0; every token reads every other without.
    pub fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        /// The stream after the attention: [batch, token, channel].
        #[tap]
        let after_attn = (x + self.attn.forward(&self.ln_1.forward(x)?, mask)?)?;
        &after_attn + self.mlp.forward(&self.ln_2.forward(&after_attn)?)?
    }
}

fn maybe_biased(width: usize, bias: bool, vb: VarBuilder) -> Result<Linear> {
    if bias { linear(width, width, vb) } else { linear_no_bias(width, width, vb) }
}
