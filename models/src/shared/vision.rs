//! The block of ViT and CLIP, under the names of Hugging Face's CLIP.

use candle_core::Result;
use candle_nn::VarBuilder;
use taper::layers::{LayerNorm, layer_norm};

use super::Activation;
use super::attention::{Attention, AttentionConfig};
use super::blocks::EncoderBlock;
use super::mlp::{Mlp, MlpConfig};

/// The block of ViT and CLIP.
pub type Block = EncoderBlock<LayerNorm, Mlp>;

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

/// A block of these sizes.
pub(crate) fn block(cfg: &BlockConfig, vb: VarBuilder) -> Result<Block> {
    let BlockConfig { width, inner, heads, qkv_bias, epsilon, activation } = *cfg;
    let biases = [qkv_bias, qkv_bias, qkv_bias, true];
    let attention = AttentionConfig::new(width, heads, biases, ["q_proj", "k_proj", "v_proj", "out_proj"])?;
    Ok(EncoderBlock {
        ln_1: layer_norm(width, epsilon, vb.pp("layer_norm1"))?,
        attn: Attention::load(vb.pp("self_attn"), &attention)?,
        ln_2: layer_norm(width, epsilon, vb.pp("layer_norm2"))?,
        mlp: Mlp::load(vb.pp("mlp"), &MlpConfig { width, inner, activation, names: ["fc1", "fc2"] })?,
    })
}
