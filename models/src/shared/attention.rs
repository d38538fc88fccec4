//! Attention whose queries, keys and values are each made by a layer of their own.

use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;
use taper::layers::{Linear, linear_b};
use taper::ops::{Mask, attention_output, attention_scores, softmax_last_dim};
use taper::{Model, forward};

use super::{head_width, merge_heads, split_heads};
use crate::past::{self, KeysValues};
use crate::source::Reads;

/// What an attention is loaded by.
#[derive(Clone, Copy, Debug)]
pub struct AttentionConfig {
    /// The width of the stream.
    pub width: usize,
    /// The width of all heads together.
    pub inner: usize,
    /// The number of heads.
    pub heads: usize,
    /// What scores are multiplied by.
    pub scale: f64,
    /// Which of the layers have biases: those of the queries, the keys and the values, and the one after the heads.
    pub biases: [bool; 4],
    /// The names of these layers in the file.
    pub names: [&'static str; 4],
}

impl AttentionConfig {
    /// Heads among which the width is divided, scores scaled by one over the square root of a head's width.
    ///
    /// # Errors
    /// A number of heads by which the width cannot be divided.
    pub fn new(width: usize, heads: usize, biases: [bool; 4], names: [&'static str; 4]) -> Result<Self> {
        let scale = (head_width(width, heads)? as f64).powf(-0.5);
        Ok(Self { width, inner: width, heads, scale, biases, names })
    }

    fn heads_layer(&self, layer: usize, vb: &VarBuilder) -> Result<Linear> {
        linear_b(self.width, self.inner, self.biases[layer], vb.pp(self.names[layer]))
    }

    fn stream_layer(&self, vb: &VarBuilder) -> Result<Linear> {
        linear_b(self.inner, self.width, self.biases[3], vb.pp(self.names[3]))
    }
}

/// Self-attention of an encoder.
#[derive(Clone, Debug, Model)]
#[model(config = AttentionConfig)]
pub struct Attention {
    /// The queries of all heads side by side: [batch, token, inner].
    #[load(expr = cfg.heads_layer(0, &vb)?)]
    pub q_proj: Linear,
    /// The keys of all heads side by side: [batch, token, inner].
    #[load(expr = cfg.heads_layer(1, &vb)?)]
    pub k_proj: Linear,
    /// The values of all heads side by side: [batch, token, inner].
    #[load(expr = cfg.heads_layer(2, &vb)?)]
    pub v_proj: Linear,
    /// From the heads back to the stream: [batch, token, channel].
    #[load(expr = cfg.stream_layer(&vb)?)]
    pub proj: Linear,
    /// The number of heads.
    #[load(value = cfg.heads)]
    pub n_head: usize,
    /// What scores are multiplied by.
    #[load(value = cfg.scale)]
    pub scale: f64,
}

#[forward]
impl Attention {
    /// `x`: [batch, token, channel] to the same. `mask`: added to the scores, of any shape that broadcasts to [batch, head,
    /// query, key].
    pub fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        /// [batch, head, token, channel of the head]
        #[tap]
        let q = split_heads(&self.q_proj.forward(x)?, self.n_head)?;
        /// [batch, head, token, channel of the head]
        #[tap]
        let k = split_heads(&self.k_proj.forward(x)?, self.n_head)?;
        /// [batch, head, token, channel of the head]
        #[tap]
        let v = split_heads(&self.v_proj.forward(x)?, self.n_head)?;
        /// Before the softmax, the mask with them: [batch, head, query, key].
        #[tap]
        let scores = attention_scores(&q, &k, self.scale, mask.map_or(Mask::None, Mask::Added))?;
        /// After the softmax: [batch, head, query, key].
        #[tap]
        let pattern = softmax_last_dim(&scores)?;
        /// What each head read: [batch, head, query, channel of the head].
        #[tap]
        let z = attention_output(&pattern, &v)?;
        self.proj.forward(&merge_heads(&z)?)
    }
}

/// Self-attention of a decoder, which may have a past.
#[derive(Clone, Debug, Model)]
#[model(config = AttentionConfig)]
pub struct CausalAttention {
    /// The queries of all heads side by side: [batch, token, inner].
    #[load(expr = cfg.heads_layer(0, &vb)?)]
    pub q_proj: Linear,
    /// The keys of all heads side by side: [batch, token, inner].
    #[load(expr = cfg.heads_layer(1, &vb)?)]
    pub k_proj: Linear,
    /// The values of all heads side by side: [batch, token, inner].
    #[load(expr = cfg.heads_layer(2, &vb)?)]
    pub v_proj: Linear,
    /// From the heads back to the stream: [batch, token, channel].
    #[load(expr = cfg.stream_layer(&vb)?)]
    pub proj: Linear,
    /// The number of heads.
    #[load(value = cfg.heads)]
    pub n_head: usize,
    /// What scores are multiplied by.
    #[load(value = cfg.scale)]
    pub scale: f64,
}

#[forward]
impl CausalAttention {
    /// `x`: [batch, token, channel] to the same. `mask`: added to the scores, of any shape that broadcasts to [batch, head,
    /// query, key]; that a token reads nothing later is its matter.
    pub fn forward(&self, x: &Tensor, mask: &Tensor, past: Option<&KeysValues>) -> Result<Tensor> {
        /// [batch, head, token, channel of the head]
        #[tap]
        let q = split_heads(&self.q_proj.forward(x)?, self.n_head)?;
        /// [batch, head, token, channel of the head]
        #[tap]
        let k = split_heads(&self.k_proj.forward(x)?, self.n_head)?;
        /// [batch, head, token, channel of the head]
        #[tap]
        let v = split_heads(&self.v_proj.forward(x)?, self.n_head)?;
        /// `k` and `v` behind those of the past: [batch, head, key, channel of the head].
        #[tap]
        let (keys, values) = past::extend(past, &k, &v)?;
        /// Before the softmax, the mask with them: [batch, head, query, key].
        #[tap]
        let scores = attention_scores(&q, &keys, self.scale, Mask::Added(mask))?;
        /// After the softmax: [batch, head, query, key].
        #[tap]
        let pattern = softmax_last_dim(&scores)?;
        /// What each head read: [batch, head, query, channel of the head].
        #[tap]
        let z = attention_output(&pattern, &values)?;
        self.proj.forward(&merge_heads(&z)?)
    }
}

/// Attention of a decoder's tokens to what an encoder made.
#[derive(Clone, Debug, Model)]
#[model(config = AttentionConfig)]
pub struct CrossAttention {
    /// The queries of all heads side by side: [batch, query, inner].
    #[load(expr = cfg.heads_layer(0, &vb)?)]
    pub q_proj: Linear,
    /// The keys of all heads side by side, unless they are prepared: [batch, key, inner].
    #[load(expr = cfg.heads_layer(1, &vb)?)]
    pub k_proj: Linear,
    /// The values of all heads side by side, unless they are prepared: [batch, key, inner].
    #[load(expr = cfg.heads_layer(2, &vb)?)]
    pub v_proj: Linear,
    /// From the heads back to the stream: [batch, query, channel].
    #[load(expr = cfg.stream_layer(&vb)?)]
    pub proj: Linear,
    /// The number of heads.
    #[load(value = cfg.heads)]
    pub n_head: usize,
    /// What scores are multiplied by.
    #[load(value = cfg.scale)]
    pub scale: f64,
}

#[forward]
impl CrossAttention {
    /// `x`: [batch, query, channel] to the same. `mask`: [batch, 1, 1, key], added to the scores.
    pub fn forward(&self, x: &Tensor, source: Reads<'_>, mask: Option<&Tensor>) -> Result<Tensor> {
        /// [batch, head, query, channel of the head]
        #[tap]
        let q = split_heads(&self.q_proj.forward(x)?, self.n_head)?;
        /// What the encoder made: [batch, head, key, channel of the head].
        #[tap]
        let (k, v) = match source {
            Reads::Prepared((k, v)) => (k.clone(), v.clone()),
            Reads::Encoded(encoded) => (
                split_heads(&self.k_proj.forward(encoded)?, self.n_head)?,
                split_heads(&self.v_proj.forward(encoded)?, self.n_head)?,
            ),
        };
        /// Before the softmax, the mask with them: [batch, head, query, key].
        #[tap]
        let scores = attention_scores(&q, &k, self.scale, mask.map_or(Mask::None, Mask::Added))?;
        /// After the softmax: [batch, head, query, key].
        #[tap]
        let pattern = softmax_last_dim(&scores)?;
        /// What each head read: [batch, head, query, channel of the head].
        #[tap]
        let z = attention_output(&pattern, &v)?;
        self.proj.forward(&merge_heads(&z)?)
    }
}

impl CrossAttention {
    /// The keys and values of what an encoder made.
    pub(crate) fn prepare(&self, encoded: &Tensor) -> Result<KeysValues> {
        let heads = |layer: &Linear| split_heads(&layer.forward(encoded)?, self.n_head);
        Ok((heads(&self.k_proj)?, heads(&self.v_proj)?))
    }
}
