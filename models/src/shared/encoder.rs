//! The block of ViT and CLIP, and what it is made of.

use candle_core::{Module, Result, Tensor};
use taper::layers::{LayerNorm, Linear, layer_norm, linear};
use taper::{Model, forward};

use super::Activation;
use super::attention::{Attention, AttentionConfig};

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

impl BlockConfig {
    /// What its attention is loaded by, under Hugging Face's names in CLIP.
    pub(crate) fn attention(&self) -> Result<AttentionConfig> {
        let biases = [self.qkv_bias, self.qkv_bias, self.qkv_bias, true];
        AttentionConfig::new(self.width, self.heads, biases, ["q_proj", "k_proj", "v_proj", "out_proj"])
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
    #[load(config = &cfg.attention()?)]
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
