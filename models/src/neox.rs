//! GPT-NeoX, as Pythia is, with its language-model head: numerically Hugging Face's `GPTNeoXForCausalLM` in evaluation.
//!
//! ```no_run
//! use taper_models::Pretrained;
//! use taper_models::neox::NeoX;
//! # use candle_core::{DType, Device, Tensor};
//!
//! let model = NeoX::from_folder("pythia-70m", DType::F32, &Device::Cpu)?;
//!
//! let ids = Tensor::new(&[[464u32, 3797, 3332]], &Device::Cpu)?;
//! let (logits, taps) = model.forward_with_taps(&ids, None)?;
//! println!("{}", taps.blocks[5].attn.pattern);
//! # Ok::<(), candle_core::Error>(())
//! ```

use candle_core::{Result, Tensor};
use candle_nn::{Embedding, Module, embedding};
use serde::Deserialize;
use taper::layers::{LayerNorm, Linear, layer_norm, linear_b};
use taper::ops::{Mask, attention_output, attention_scores, contiguous, softmax_last_dim};
use taper::{Model, Weights, forward};

use crate::decoder::language_model;
use crate::past::{self, KeysValues, Past};
use crate::pretrained::{Pretrained, checkpoint_names};
use crate::shared::mlp::{Mlp, MlpConfig};
use crate::shared::{Activation, Rotary, RotaryFields, batch_and_len, causal_mask, merge_heads, rotate, unembedding};

/// The part of Hugging Face's `config.json` that the forward pass depends on.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Config {
    /// The number of tokens that there are.
    pub vocab_size: usize,
    /// The width of the stream.
    pub hidden_size: usize,
    /// The width inside the MLP.
    pub intermediate_size: usize,
    /// The number of blocks.
    pub num_hidden_layers: usize,
    /// The number of attention heads.
    pub num_attention_heads: usize,
    /// The width of a head.
    pub head_dim: usize,
    /// Between the layers of the MLP.
    pub hidden_act: Activation,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
    /// Whether the MLP reads what the attention reads, and not what it wrote.
    pub use_parallel_residual: bool,
    /// Whether the attention's layers have biases.
    pub attention_bias: bool,
    /// Whether the head's weight is that of the token embedding.
    pub tie_word_embeddings: bool,
    /// The positions, of a part of each head's channels.
    pub rotary: Rotary,
}

impl Config {
    fn mlp(&self) -> MlpConfig {
        let (width, inner, activation) = (self.hidden_size, self.intermediate_size, self.hidden_act);
        MlpConfig { width, inner, activation, names: ["dense_h_to_4h", "dense_4h_to_h"] }
    }
}

/// The fields of `config.json`.
#[derive(Deserialize)]
struct Fields {
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    hidden_act: Option<Activation>,
    layer_norm_eps: Option<f64>,
    max_position_embeddings: Option<usize>,
    use_parallel_residual: Option<bool>,
    attention_bias: Option<bool>,
    tie_word_embeddings: Option<bool>,
    rotary_pct: Option<f64>,
    rotary_emb_base: Option<f64>,
    rope_scaling: Option<RotaryFields>,
    rope_parameters: Option<RotaryFields>,
}

impl TryFrom<Fields> for Config {
    type Error = String;

    /// Fields that are absent are what they are by default in the original's class.
    fn try_from(fields: Fields) -> std::result::Result<Self, String> {
        let (width, heads) = (fields.hidden_size, fields.num_attention_heads);
        if heads == 0 || !width.is_multiple_of(heads) {
            return Err(format!("the width {width} cannot be divided among {heads} heads"));
        }
        let rotary = fields.rope_scaling.or(fields.rope_parameters).unwrap_or_default().rotary(
            width / heads,
            fields.rotary_emb_base.unwrap_or(10000.0),
            fields.rotary_pct.unwrap_or(0.25),
            fields.max_position_embeddings,
        )?;
        Ok(Self {
            vocab_size: fields.vocab_size,
            hidden_size: width,
            intermediate_size: fields.intermediate_size,
            num_hidden_layers: fields.num_hidden_layers,
            num_attention_heads: heads,
            head_dim: width / heads,
            hidden_act: fields.hidden_act.unwrap_or(Activation::Gelu),
            layer_norm_eps: fields.layer_norm_eps.unwrap_or(1e-5),
            use_parallel_residual: fields.use_parallel_residual.unwrap_or(true),
            attention_bias: fields.attention_bias.unwrap_or(true),
            tie_word_embeddings: fields.tie_word_embeddings.unwrap_or(false),
            rotary,
        })
    }
}

/// Causal self-attention with rotary positions.
#[derive(Model)]
#[model(config = Config)]
pub struct Attention {
    /// Queries, keys and values side by side **in each head**: [batch, token, head × 3 × channel of the head].
    #[load(linear_b(cfg.hidden_size, 3 * cfg.hidden_size, cfg.attention_bias))]
    #[prefix("query_key_value")]
    pub qkv: Linear,
    /// From the heads back to the stream: [batch, token, channel].
    #[load(linear_b(cfg.hidden_size, cfg.hidden_size, cfg.attention_bias))]
    #[prefix("dense")]
    pub proj: Linear,
    /// The width of a head.
    #[load(value = cfg.head_dim)]
    pub head_dim: usize,
    /// What scores are multiplied by.
    #[load(value = (cfg.head_dim as f64).powf(-0.5))]
    pub scale: f64,
}

#[forward]
impl Attention {
    /// `x`: [batch, token, channel], `cos` and `sin` of the tokens' angles: [token, pair], `mask`: [query, key], added to the
    /// scores; to [batch, token, channel].
    pub fn forward(
        &self,
        x: &Tensor,
        cos: &Tensor,
        sin: &Tensor,
        mask: &Tensor,
        past: Option<&KeysValues>,
    ) -> Result<Tensor> {
        let (batch, token, _) = x.dims3()?;
        let qkv = self.qkv.forward(x)?.reshape((batch, token, (), 3, self.head_dim))?;
        let part = |i: usize| contiguous(&qkv.narrow(3, i, 1)?.squeeze(3)?.transpose(1, 2)?);
        /// After the rotation: [batch, head, token, channel of the head].
        #[tap]
        let q = rotate(&part(0)?, cos, sin)?;
        /// After the rotation: [batch, head, token, channel of the head].
        #[tap]
        let k = rotate(&part(1)?, cos, sin)?;
        /// [batch, head, token, channel of the head]
        #[tap]
        let v = part(2)?;
        /// `k` and `v` behind those of the past: [batch, head, key, channel of the head].
        #[tap]
        let (keys, values) = past::extend(past, &k, &v)?;
        /// Before the softmax, −∞ where a key is later than the query: [batch, head, query, key].
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

/// Attention and an MLP, each reading the normalized stream and adding to it: side by side, or one after the other. Its
/// output is the stream after both.
#[derive(Model)]
#[model(config = Config)]
pub struct Block {
    /// What the attention reads: [batch, token, channel].
    #[load(layer_norm(cfg.hidden_size, cfg.layer_norm_eps))]
    #[prefix("input_layernorm")]
    pub ln_1: LayerNorm,
    /// Reads other tokens.
    #[prefix("attention")]
    pub attn: Attention,
    /// What the MLP reads: [batch, token, channel]. If they are side by side, of the stream before the attention.
    #[load(layer_norm(cfg.hidden_size, cfg.layer_norm_eps))]
    #[prefix("post_attention_layernorm")]
    pub ln_2: LayerNorm,
    /// Reads the token itself.
    #[load(config = &cfg.mlp())]
    pub mlp: Mlp,
    /// Whether they are side by side.
    #[load(value = cfg.use_parallel_residual)]
    pub parallel: bool,
}

#[forward]
impl Block {
    /// `x`: the stream, [batch, token, channel], to the same; `cos` and `sin` of the tokens' angles: [token, pair].
    pub fn forward(
        &self,
        x: &Tensor,
        cos: &Tensor,
        sin: &Tensor,
        mask: &Tensor,
        past: Option<&KeysValues>,
    ) -> Result<Tensor> {
        /// The stream after the attention: [batch, token, channel]. If they are side by side, the MLP does not read it.
        #[tap]
        let after_attn = (x + self.attn.forward(&self.ln_1.forward(x)?, cos, sin, mask, past)?)?;
        let read = if self.parallel { x } else { &after_attn };
        &after_attn + self.mlp.forward(&self.ln_2.forward(read)?)?
    }
}

/// GPT-NeoX with its language-model head.
#[derive(Model)]
#[model(config = Config)]
pub struct NeoX {
    /// Of the tokens: [batch, token, channel].
    #[load(embedding(cfg.vocab_size, cfg.hidden_size))]
    #[prefix("gpt_neox.embed_in")]
    pub wte: Embedding,
    /// The blocks, in order.
    #[load(each(cfg.num_hidden_layers))]
    #[prefix("gpt_neox.layers")]
    pub blocks: Vec<Block>,
    /// The normalized stream after the last block: [batch, token, channel].
    #[load(layer_norm(cfg.hidden_size, cfg.layer_norm_eps))]
    #[prefix("gpt_neox.final_layer_norm")]
    pub ln_f: LayerNorm,
    /// The logits: [batch, token, vocabulary].
    #[load(expr = unembedding(wte, cfg.tie_word_embeddings, vb.pp("lm_head"))?)]
    pub lm_head: Linear,
    /// The positions.
    #[load(value = cfg.rotary.clone())]
    pub rotary: Rotary,
}

#[forward]
impl NeoX {
    /// `ids`: [batch, token], which follow those of the `past`, to the logits of the token after each: [batch, token,
    /// vocabulary].
    pub fn forward(&self, ids: &Tensor, past: Option<&Past>) -> Result<Tensor> {
        Past::check(past, self.blocks.len())?;
        let ((_, len), start) = (batch_and_len(ids, self.wte.embeddings())?, Past::tokens(past));
        /// The stream before the first block: [batch, token, channel].
        #[tap]
        let embed = self.wte.forward(ids)?;
        /// Of the tokens' angles: [token, pair].
        #[tap(detached)]
        let (cos, sin) = self.rotary.angles(len, start, embed.dtype(), embed.device())?;
        let mask = causal_mask(len, start, None, embed.dtype(), embed.device())?;
        let mut x = embed;
        for (i, block) in self.blocks.iter().enumerate() {
            x = block.forward(&x, &cos, &sin, &mask, past.map(|past| &past.blocks()[i]))?;
        }
        self.unembed(&x)
    }

    /// The logits of a stream: the last norm and the head. [batch, token, channel] to [batch, token, vocabulary].
    ///
    /// # Errors
    /// A stream of another width.
    pub fn unembed(&self, stream: &Tensor) -> Result<Tensor> {
        self.lm_head.forward(&self.ln_f.forward(stream)?)
    }
}

language_model!(NeoX, NeoXSites);

impl Pretrained for NeoX {
    type Config = Config;
    const MODEL_TYPES: &'static [&'static str] = &["gpt_neox"];

    /// Beside what [`load`](Self::load) asks for there may be what some of these files have and the model does not need:
    /// causal masks, the rotary frequencies, and a copy of the tied head. Names may lack `gpt_neox.`, and the head may be
    /// `embed_out`.
    fn from_weights(weights: Weights, config: &Config) -> Result<Self> {
        const BUFFERS: [&str; 3] = [".attention.bias", ".attention.masked_bias", ".attention.rotary_emb.inv_freq"];
        let tied = config.tie_word_embeddings;
        let copy = move |name: &str| tied && (name == "lm_head.weight" || name == "embed_out.weight");
        checkpoint_names(weights, "gpt_neox")
            .or_named(|name| (name == "lm_head.weight").then(|| "embed_out.weight".to_owned()))
            .allow_unused(move |name| BUFFERS.iter().any(|buffer| name.ends_with(buffer)) || copy(name))
            .load(|vb| Self::load(vb, config))
    }
}
