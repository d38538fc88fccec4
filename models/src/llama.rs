//! Llama and its relatives with their language-model heads: Llama 2 and 3, Mistral, Qwen2, Qwen3, Gemma and Gemma 2,
//! numerically Hugging Face's `LlamaForCausalLM` and the like in evaluation. Which of them it is, its [`Config`] says.
//!
//! ```no_run
//! use taper_models::Pretrained;
//! use taper_models::llama::Llama;
//! # use candle_core::{DType, Device, Tensor};
//!
//! let model = Llama::from_folder("Llama-3.2-1B", DType::F32, &Device::Cpu)?;
//!
//! let ids = Tensor::new(&[[464u32, 3797, 3332]], &Device::Cpu)?;
//! let (logits, taps) = model.forward_with_taps(&ids, None)?;
//! println!("{}", taps.blocks[5].attn.pattern);
//! # Ok::<(), candle_core::Error>(())
//! ```

mod config;
mod gguf;

use candle_core::{Result, Tensor};
use candle_nn::{Embedding, Module, VarBuilder, embedding};
use taper::layers::RmsNorm;
use taper::ops::{Mask, attention_output, attention_scores, contiguous, softmax_last_dim, tanh};
use taper::quantized::{Linear, linear_b};
use taper::{Model, Weights, forward};

use crate::decoder::language_model;
use crate::past::{self, KeysValues, Past};
use crate::pretrained::{Pretrained, checkpoint_names};
use crate::shared::{Activation, Rotary, batch_and_len, causal_mask, merge_heads, rotate, unembedding};

pub use config::Config;

/// Causal self-attention with rotary positions. With fewer heads of keys and values than of queries, so many consecutive
/// heads read the same ones.
#[derive(Model)]
#[model(config = Config)]
pub struct Attention {
    /// Queries of all heads: [batch, token, head × channel of the head].
    #[load(linear_b(cfg.hidden_size, cfg.num_attention_heads * cfg.head_dim, cfg.qkv_bias))]
    pub q_proj: Linear,
    /// Keys of all heads: [batch, token, key head × channel of the head].
    #[load(linear_b(cfg.hidden_size, cfg.num_key_value_heads * cfg.head_dim, cfg.qkv_bias))]
    pub k_proj: Linear,
    /// Values of all heads: [batch, token, key head × channel of the head].
    #[load(linear_b(cfg.hidden_size, cfg.num_key_value_heads * cfg.head_dim, cfg.qkv_bias))]
    pub v_proj: Linear,
    /// Qwen3: queries before the rotation, normalized in each head: [batch, token, head, channel of the head].
    #[load(maybe(cfg.qk_norm, norm(cfg.head_dim, cfg)))]
    pub q_norm: Option<RmsNorm>,
    /// Qwen3: keys before the rotation, normalized in each head: [batch, token, key head, channel of the head].
    #[load(maybe(cfg.qk_norm, norm(cfg.head_dim, cfg)))]
    pub k_norm: Option<RmsNorm>,
    /// From the heads back to the stream: [batch, token, channel].
    #[load(linear_b(cfg.num_attention_heads * cfg.head_dim, cfg.hidden_size, cfg.proj_bias))]
    #[prefix("o_proj")]
    pub proj: Linear,
    /// The width of a head.
    #[load(value = cfg.head_dim)]
    pub head_dim: usize,
    /// What scores are multiplied by.
    #[load(value = cfg.attn_scale)]
    pub scale: f64,
    /// Gemma 2: what scores are kept below.
    #[load(value = cfg.attn_softcap)]
    pub softcap: Option<f64>,
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
        let heads = (batch, token, (), self.head_dim);
        let mut q = self.q_proj.forward(x)?.reshape(heads)?;
        if let Some(norm) = &self.q_norm {
            q = norm.forward(&q)?;
        }
        let mut k = self.k_proj.forward(x)?.reshape(heads)?;
        if let Some(norm) = &self.k_norm {
            k = norm.forward(&k)?;
        }
        /// After the rotation: [batch, head, token, channel of the head].
        #[tap]
        let q = rotate(&contiguous(&q.transpose(1, 2)?)?, cos, sin)?;
        /// After the rotation: [batch, key head, token, channel of the head].
        #[tap]
        let k = rotate(&contiguous(&k.transpose(1, 2)?)?, cos, sin)?;
        /// [batch, key head, token, channel of the head]
        #[tap]
        let v = contiguous(&self.v_proj.forward(x)?.reshape(heads)?.transpose(1, 2)?)?;
        /// `k` and `v` behind those of the past: [batch, key head, key, channel of the head].
        #[tap]
        let (keys, values) = past::extend(past, &k, &v)?;
        /// Before the softmax, −∞ where a key is later than the query or outside its window: [batch, head, query, key].
        #[tap]
        let scores = match self.softcap {
            None => attention_scores(&q, &keys, self.scale, Mask::Added(mask))?,
            Some(cap) => softcap(&attention_scores(&q, &keys, self.scale, Mask::None)?, cap)?.broadcast_add(mask)?,
        };
        /// After the softmax: [batch, head, query, key].
        #[tap]
        let pattern = softmax_last_dim(&scores)?;
        /// What each head read: [batch, head, query, channel of the head].
        #[tap]
        let z = attention_output(&pattern, &values)?;
        self.proj.forward(&merge_heads(&z)?)
    }
}

/// Two layers side by side, the activation of one multiplied by the other, and one back; for each token by itself.
#[derive(Model)]
#[model(config = Config)]
pub struct Mlp {
    /// Before the activation: [batch, token, inner].
    #[load(linear_b(cfg.hidden_size, cfg.intermediate_size, cfg.mlp_bias))]
    #[prefix("gate_proj")]
    pub gate: Linear,
    /// What the gate's activation is multiplied by: [batch, token, inner].
    #[load(linear_b(cfg.hidden_size, cfg.intermediate_size, cfg.mlp_bias))]
    #[prefix("up_proj")]
    pub up: Linear,
    /// Back to the stream: [batch, token, channel].
    #[load(linear_b(cfg.intermediate_size, cfg.hidden_size, cfg.mlp_bias))]
    #[prefix("down_proj")]
    pub down: Linear,
    /// What `gate_act` is by.
    #[load(value = cfg.hidden_act)]
    pub activation: Activation,
}

#[forward]
impl Mlp {
    /// `x`: [batch, token, channel] to the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        /// The gate after the activation: [batch, token, inner].
        #[tap]
        let gate_act = self.activation.of(&self.gate.forward(x)?)?;
        /// What `down` reads, `gate_act` times `up`: [batch, token, inner].
        #[tap]
        let act = (gate_act * self.up.forward(x)?)?;
        self.down.forward(&act)
    }
}

/// Attention and an MLP, each reading the normalized stream and adding to it. Its output is the stream after the MLP.
#[derive(Model)]
#[model(config = Config)]
pub struct Block {
    /// What the attention reads: [batch, token, channel].
    #[load(norm(cfg.hidden_size, cfg))]
    #[prefix("input_layernorm")]
    pub ln_1: RmsNorm,
    /// Reads other tokens.
    #[prefix("self_attn")]
    pub attn: Attention,
    /// Gemma 2: what the attention adds to the stream, [batch, token, channel]. Elsewhere that is `attn.output`.
    #[load(maybe(cfg.post_norm, norm(cfg.hidden_size, cfg)))]
    #[prefix("post_attention_layernorm")]
    pub ln_1_post: Option<RmsNorm>,
    /// What the MLP reads: [batch, token, channel].
    #[load(expr = norm(cfg.hidden_size, cfg, vb.pp(ln_2(cfg)))?)]
    pub ln_2: RmsNorm,
    /// Reads the token itself.
    pub mlp: Mlp,
    /// Gemma 2: what the MLP adds to the stream, [batch, token, channel]. Elsewhere that is `mlp.output`.
    #[load(maybe(cfg.post_norm, norm(cfg.hidden_size, cfg)))]
    #[prefix("post_feedforward_layernorm")]
    pub ln_2_post: Option<RmsNorm>,
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
        let mut added = self.attn.forward(&self.ln_1.forward(x)?, cos, sin, mask, past)?;
        if let Some(norm) = &self.ln_1_post {
            added = norm.forward(&added)?;
        }
        /// The stream after the attention: [batch, token, channel].
        #[tap]
        let after_attn = (x + added)?;
        let mut added = self.mlp.forward(&self.ln_2.forward(&after_attn)?)?;
        if let Some(norm) = &self.ln_2_post {
            added = norm.forward(&added)?;
        }
        after_attn + added
    }
}

/// A model of the family with its language-model head.
#[derive(Model)]
#[model(config = Config)]
pub struct Llama {
    /// Of the tokens: [batch, token, channel].
    #[load(embedding(cfg.vocab_size, cfg.hidden_size))]
    #[prefix("model.embed_tokens")]
    pub wte: Embedding,
    /// The blocks, in order.
    #[load(each(cfg.windowed.len()))]
    #[prefix("model.layers")]
    pub blocks: Vec<Block>,
    /// The normalized stream after the last block: [batch, token, channel].
    #[load(norm(cfg.hidden_size, cfg))]
    #[prefix("model.norm")]
    pub ln_f: RmsNorm,
    /// The logits, before Gemma 2 caps them: [batch, token, vocabulary].
    #[load(expr = head(wte, cfg, vb.pp("lm_head"))?)]
    pub lm_head: Linear,
    /// The positions.
    #[load(value = cfg.rotary.clone())]
    pub rotary: Rotary,
    /// How many tokens a token reads, itself with them, in the blocks that have a window.
    #[load(value = cfg.window)]
    pub window: Option<usize>,
    /// Whether each block has the window.
    #[load(value = cfg.windowed.clone())]
    pub windowed: Vec<bool>,
    /// Gemma: what embeddings are multiplied by.
    #[load(value = cfg.embed_scale)]
    pub embed_scale: Option<f64>,
    /// Gemma 2: what logits are kept below.
    #[load(value = cfg.final_softcap)]
    pub final_softcap: Option<f64>,
}

#[forward]
impl Llama {
    /// `ids`: [batch, token], which follow those of the `past`, to the logits of the token after each: [batch, token,
    /// vocabulary].
    pub fn forward(&self, ids: &Tensor, past: Option<&Past>) -> Result<Tensor> {
        Past::check(past, self.blocks.len())?;
        let ((_, len), start) = (batch_and_len(ids, self.wte.embeddings())?, Past::tokens(past));
        let tokens = self.wte.forward(ids)?;
        /// The stream before the first block: [batch, token, channel].
        #[tap]
        let embed = match self.embed_scale {
            None => tokens,
            Some(scale) => (tokens * scale)?,
        };
        let (dtype, device) = (embed.dtype(), ids.device());
        /// Of the tokens' angles: [token, pair].
        #[tap(detached)]
        let (cos, sin) = self.rotary.angles(len, start, dtype, device)?;
        let full = causal_mask(len, start, None, dtype, device)?;
        let near = match self.window {
            None => full.clone(),
            window => causal_mask(len, start, window, dtype, device)?,
        };
        let mut x = embed;
        for (i, block) in self.blocks.iter().enumerate() {
            let mask = if self.windowed[i] { &near } else { &full };
            x = block.forward(&x, &cos, &sin, mask, past.map(|past| &past.blocks()[i]))?;
        }
        self.unembed(&x)
    }

    /// The logits of a stream: the last norm, the head and Gemma 2's cap. [batch, token, channel] to [batch, token,
    /// vocabulary].
    ///
    /// # Errors
    /// A stream of another width.
    pub fn unembed(&self, stream: &Tensor) -> Result<Tensor> {
        let logits = self.lm_head.forward(&self.ln_f.forward(stream)?)?;
        match self.final_softcap {
            None => Ok(logits),
            Some(cap) => softcap(&logits, cap),
        }
    }
}

language_model!(Llama, LlamaSites);

impl Pretrained for Llama {
    type Config = Config;
    const MODEL_TYPES: &'static [&'static str] = &["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2"];

    /// Beside what [`load`](Self::load) asks for there may be what some of these files have and the model does not need:
    /// the rotary frequencies, and a copy of the tied head. Names may lack `model.`.
    fn from_weights(weights: Weights, config: &Config) -> Result<Self> {
        let tied = config.tie_word_embeddings;
        checkpoint_names(weights, "model")
            .allow_unused(move |name| name.ends_with("rotary_emb.inv_freq") || (tied && name == "lm_head.weight"))
            .load(|vb| Self::load(vb, config))
    }
}

/// Kept between −`cap` and `cap`: cap·tanh(x / cap).
fn softcap(x: &Tensor, cap: f64) -> Result<Tensor> {
    tanh(&(x / cap)?)? * cap
}

/// By the root of the mean square. Gemma's weights are stored less one, and kept here as they are multiplied by.
fn norm(width: usize, cfg: &Config, vb: VarBuilder) -> Result<RmsNorm> {
    let weight = vb.get(width, "weight")?;
    let weight = if cfg.norm_plus_one { (weight + 1.0)? } else { weight };
    Ok(candle_nn::RmsNorm::new(weight, cfg.rms_norm_eps).into())
}

/// The head: the token embedding's own weight, unless it has one.
fn head(wte: &Embedding, cfg: &Config, vb: VarBuilder) -> Result<Linear> {
    match cfg.tie_word_embeddings {
        true => unembedding(wte, true, vb).map(Linear::from),
        false => linear_b(cfg.hidden_size, cfg.vocab_size, false, vb),
    }
}

/// What checkpoints call the norm before the MLP: Gemma 2 has the same name for one after the attention.
fn ln_2(cfg: &Config) -> &'static str {
    if cfg.post_norm { "pre_feedforward_layernorm" } else { "post_attention_layernorm" }
}
