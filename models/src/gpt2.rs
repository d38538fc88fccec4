//! GPT-2 with its language-model head, numerically that of Hugging Face's `GPT2LMHeadModel` in evaluation: no dropout,
//! no loss.
//!
//! ```no_run
//! use taper_models::Pretrained;
//! use taper_models::gpt2::Gpt2;
//! # use candle_core::{DType, Device, Tensor};
//!
//! let model = Gpt2::from_folder("gpt2", DType::F32, &Device::Cpu)?;
//!
//! let ids = Tensor::new(&[[464u32, 3797, 3332]], &Device::Cpu)?;
//! let (logits, taps) = model.forward_with_taps(&ids, None)?;
//! println!("{}", taps.blocks[5].attn.pattern);
//! # Ok::<(), candle_core::Error>(())
//! ```

use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{Embedding, VarBuilder, embedding};
use serde::Deserialize;
use taper::layers::{LayerNorm, Linear, layer_norm};
use taper::ops::{Mask, attention_output, attention_scores, softmax_last_dim};
use taper::{Model, Weights, forward};

use crate::decoder::language_model;
use crate::past::{self, KeysValues, Past};
use crate::pretrained::{Pretrained, checkpoint_names};
use crate::shared::mlp::Mlp;
use crate::shared::{Activation, batch_and_len, causal_mask, merge_heads, positions, split_heads, unembedding};

/// The part of Hugging Face's `config.json` that the forward pass depends on.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// The number of tokens that there are.
    pub vocab_size: usize,
    /// The longest text, in tokens.
    pub n_positions: usize,
    /// The width of the stream.
    pub n_embd: usize,
    /// The number of blocks.
    pub n_layer: usize,
    /// The number of attention heads, among which the width is divided.
    pub n_head: usize,
    /// The width inside the MLP; four times that of the stream if absent.
    pub n_inner: Option<usize>,
    /// `gelu_new` is GELU by its tanh approximation, `gelu` the exact one.
    #[serde(default = "gelu_new")]
    pub activation_function: Activation,
    /// Added to the variance in every layer norm.
    #[serde(default = "epsilon")]
    pub layer_norm_epsilon: f64,
    /// Whether scores are divided by the square root of a head's width.
    #[serde(default = "yes")]
    pub scale_attn_weights: bool,
    /// Whether scores are divided by the number of the block too, counted from one.
    #[serde(default)]
    pub scale_attn_by_inverse_layer_idx: bool,
    /// Whether the head's weight is that of the token embedding.
    #[serde(default = "yes")]
    pub tie_word_embeddings: bool,
}

// Older files lack what had only one value then.
fn gelu_new() -> Activation {
    Activation::GeluTanh
}
fn epsilon() -> f64 {
    1e-5
}
fn yes() -> bool {
    true
}

impl Config {
    /// The width inside the MLP.
    pub fn inner(&self) -> usize {
        self.n_inner.unwrap_or(4 * self.n_embd)
    }

    /// The width of a head.
    ///
    /// # Errors
    /// A number of heads by which the width cannot be divided.
    pub fn head_width(&self) -> Result<usize> {
        if self.n_head == 0 || !self.n_embd.is_multiple_of(self.n_head) {
            bail!("the width {} cannot be divided among {} heads", self.n_embd, self.n_head);
        }
        Ok(self.n_embd / self.n_head)
    }

    /// What scores are multiplied by.
    fn attn_scale(&self) -> Result<f64> {
        let head_width = self.head_width()? as f64;
        Ok(if self.scale_attn_weights { head_width.powf(-0.5) } else { 1.0 })
    }
}

/// Causal self-attention with several heads.
#[derive(Model)]
#[model(config = Config)]
pub struct Attention {
    /// Queries, keys and values side by side: [batch, token, 3 × channel].
    #[load(conv1d_linear(cfg.n_embd, 3 * cfg.n_embd))]
    #[prefix("c_attn")]
    pub qkv: Linear,
    /// From the heads back to the stream: [batch, token, channel].
    #[load(conv1d_linear(cfg.n_embd, cfg.n_embd))]
    #[prefix("c_proj")]
    pub proj: Linear,
    /// The number of heads.
    #[load(value = cfg.n_head)]
    pub n_head: usize,
    /// What scores are multiplied by.
    #[load(value = cfg.attn_scale()?)]
    pub scale: f64,
}

#[forward]
impl Attention {
    /// `x`: [batch, token, channel], `mask`: [query, key], added to the scores; to [batch, token, channel].
    pub fn forward(&self, x: &Tensor, mask: &Tensor, past: Option<&KeysValues>) -> Result<Tensor> {
        let qkv = self.qkv.forward(x)?.chunk(3, 2)?;
        /// [batch, head, token, channel of the head]
        #[tap]
        let q = split_heads(&qkv[0], self.n_head)?;
        /// [batch, head, token, channel of the head]
        #[tap]
        let k = split_heads(&qkv[1], self.n_head)?;
        /// [batch, head, token, channel of the head]
        #[tap]
        let v = split_heads(&qkv[2], self.n_head)?;
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

/// Attention and an MLP, each reading the normalized stream and adding to it. Its output is the stream after the MLP.
#[derive(Model)]
#[model(config = Config)]
pub struct Block {
    /// What the attention reads: [batch, token, channel].
    #[load(layer_norm(cfg.n_embd, cfg.layer_norm_epsilon))]
    pub ln_1: LayerNorm,
    /// Reads other tokens.
    pub attn: Attention,
    /// What the MLP reads: [batch, token, channel].
    #[load(layer_norm(cfg.n_embd, cfg.layer_norm_epsilon))]
    pub ln_2: LayerNorm,
    /// Reads the token itself.
    #[load(mlp(cfg))]
    pub mlp: Mlp,
}

#[forward]
impl Block {
    /// `x`: the stream, [batch, token, channel], to the same.
    pub fn forward(&self, x: &Tensor, mask: &Tensor, past: Option<&KeysValues>) -> Result<Tensor> {
        /// The stream after the attention: [batch, token, channel].
        #[tap]
        let after_attn = (x + self.attn.forward(&self.ln_1.forward(x)?, mask, past)?)?;
        &after_attn + self.mlp.forward(&self.ln_2.forward(&after_attn)?)?
    }
}

/// GPT-2 with its language-model head.
#[derive(Model)]
#[model(config = Config)]
pub struct Gpt2 {
    /// Of the tokens: [batch, token, channel].
    #[load(embedding(cfg.vocab_size, cfg.n_embd))]
    #[prefix("transformer.wte")]
    pub wte: Embedding,
    /// Of the positions: [1, token, channel].
    #[load(embedding(cfg.n_positions, cfg.n_embd))]
    #[prefix("transformer.wpe")]
    pub wpe: Embedding,
    /// The blocks, in order.
    #[load(each(cfg.n_layer, |i| block(i, cfg)))]
    #[prefix("transformer.h")]
    pub blocks: Vec<Block>,
    /// The normalized stream after the last block: [batch, token, channel].
    #[load(layer_norm(cfg.n_embd, cfg.layer_norm_epsilon))]
    #[prefix("transformer.ln_f")]
    pub ln_f: LayerNorm,
    /// The logits: [batch, token, vocabulary].
    #[load(expr = unembedding(wte, cfg.tie_word_embeddings, vb.pp("lm_head"))?)]
    pub lm_head: Linear,
}

#[forward]
impl Gpt2 {
    /// `ids`: [batch, token], which follow those of the `past`, to the logits of the token after each: [batch, token,
    /// vocabulary].
    pub fn forward(&self, ids: &Tensor, past: Option<&Past>) -> Result<Tensor> {
        Past::check(past, self.blocks.len())?;
        let ((_, len), start) = (batch_and_len(ids, self.wte.embeddings())?, Past::tokens(past));
        let positions = positions(start, len, self.wpe.embeddings())?;
        /// The stream before the first block: [batch, token, channel].
        #[tap]
        let embed = self.wte.forward(ids)?.broadcast_add(&self.wpe.forward(&positions)?)?;
        let mask = causal_mask(len, start, None, embed.dtype(), embed.device())?;
        let mut x = embed;
        for (i, block) in self.blocks.iter().enumerate() {
            x = block.forward(&x, &mask, past.map(|past| &past.blocks()[i]))?;
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

language_model!(Gpt2, Gpt2Sites);

impl Pretrained for Gpt2 {
    type Config = Config;
    const MODEL_TYPES: &'static [&'static str] = &["gpt2"];

    /// Beside what [`load`](Self::load) asks for there may be what some of these files have and the model does not need:
    /// causal masks, and a copy of the tied head. Names may lack `transformer.`, as in OpenAI's own files.
    fn from_weights(weights: Weights, config: &Config) -> Result<Self> {
        let tied = config.tie_word_embeddings;
        let mask = |name: &str| name.ends_with(".attn.bias") || name.ends_with(".attn.masked_bias");
        checkpoint_names(weights, "transformer")
            .allow_unused(move |name| mask(name) || (tied && name == "lm_head.weight"))
            .load(|vb| Self::load(vb, config))
    }
}

/// Block `i`, counted from zero.
fn block(i: usize, cfg: &Config, vb: VarBuilder) -> Result<Block> {
    let mut block = Block::load(vb, cfg)?;
    if cfg.scale_attn_by_inverse_layer_idx {
        block.attn.scale /= (i + 1) as f64;
    }
    Ok(block)
}

/// Its layers are stored as those of the attention are.
fn mlp(cfg: &Config, vb: VarBuilder) -> Result<Mlp> {
    let (width, inner) = (cfg.n_embd, cfg.inner());
    Ok(Mlp {
        up: conv1d_linear(width, inner, vb.pp("c_fc"))?,
        down: conv1d_linear(inner, width, vb.pp("c_proj"))?,
        activation: cfg.activation_function,
    })
}

/// A layer whose weight is stored as [in, out], transposed against that of `Linear`.
fn conv1d_linear(in_dim: usize, out_dim: usize, vb: VarBuilder) -> Result<Linear> {
    let weight = vb.get((in_dim, out_dim), "weight")?.t()?;
    let bias = vb.get(out_dim, "bias")?;
    Ok(Linear::new(weight, Some(bias)))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use candle_core::{DType, Device};
    use candle_nn::VarMap;

    use super::*;

    /// As OpenAI's own file has it: nothing that came later.
    const OLD: &str = r#"{"vocab_size": 11, "n_positions": 8, "n_ctx": 8, "n_embd": 4, "n_layer": 2, "n_head": 2}"#;

    fn config() -> Config {
        serde_json::from_str(OLD).unwrap()
    }

    /// The tensors that `config` asks for, their names changed by `rename`.
    fn tensors(config: &Config, rename: impl Fn(&str) -> String) -> HashMap<String, Tensor> {
        let vars = VarMap::new();
        Gpt2::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu), config).unwrap();
        let vars = vars.data().lock().unwrap();
        vars.iter().map(|(name, var)| (rename(name), var.as_tensor().clone())).collect()
    }

    fn load(tensors: HashMap<String, Tensor>, config: &Config) -> Result<Gpt2> {
        Gpt2::from_weights(Weights::from_tensors(tensors, DType::F32, &Device::Cpu), config)
    }

    #[test]
    fn older_files_mean_what_there_was_then() {
        let config = config();
        assert_eq!(config.activation_function, Activation::GeluTanh);
        assert_eq!((config.layer_norm_epsilon, config.inner()), (1e-5, 16));
        assert!(config.scale_attn_weights && config.tie_word_embeddings);
    }

    #[test]
    fn names_may_lack_the_prefix() {
        let config = config();
        let bare = tensors(&config, |name| name.replacen("transformer.", "", 1));
        assert!(bare.contains_key("h.1.attn.c_attn.weight"));
        load(bare, &config).unwrap();
    }

    #[test]
    fn masks_and_the_copy_of_a_tied_head_may_be_there_and_nothing_else() {
        let config = config();
        let mut more = tensors(&config, str::to_owned);
        let one = Tensor::ones(1, DType::F32, &Device::Cpu).unwrap();
        for name in ["transformer.h.0.attn.bias", "transformer.h.1.attn.masked_bias"] {
            more.insert(name.to_owned(), one.clone());
        }
        more.insert("lm_head.weight".to_owned(), more["transformer.wte.weight"].copy().unwrap());
        let model = load(more.clone(), &config).unwrap();
        assert_eq!(model.lm_head.weight().id(), model.wte.embeddings().id());
        more.insert("score.weight".to_owned(), one);
        let error = load(more, &config).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("1 unused") && error.contains("`score.weight`"), "{error}");
    }

    /// The configuration says, or lacks that it does not, that the head is tied; the file knows better.
    #[test]
    fn a_head_that_is_no_copy_is_not_tied() {
        let config = config();
        let mut more = tensors(&config, str::to_owned);
        let other = (&more["transformer.wte.weight"] * 2.0).unwrap();
        more.insert("lm_head.weight".to_owned(), other.clone());
        let model = load(more, &config).unwrap();
        assert_eq!(model.lm_head.weight().to_vec2::<f32>().unwrap(), other.to_vec2::<f32>().unwrap());
    }

    #[test]
    fn a_head_of_its_own_is_loaded() {
        let config = Config { tie_word_embeddings: false, ..config() };
        let own = tensors(&config, str::to_owned);
        assert!(own.contains_key("lm_head.weight"));
        let model = load(own, &config).unwrap();
        assert_ne!(model.lm_head.weight().id(), model.wte.embeddings().id());
    }

    #[test]
    fn heads_that_do_not_divide_the_width_are_refused() {
        let config = Config { n_head: 3, ..config() };
        let error = Gpt2::load(VarBuilder::zeros(DType::F32, &Device::Cpu), &config).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("3 heads"), "{error}");
    }

    #[test]
    fn a_text_that_is_too_long_is_refused() {
        let model = Gpt2::load(VarBuilder::zeros(DType::F32, &Device::Cpu), &config()).unwrap();
        let ids = Tensor::zeros((1, 9), DType::U32, &Device::Cpu).unwrap();
        let error = model.forward(&ids, None).unwrap_err().to_string();
        assert!(error.contains("9 tokens") && error.contains("8 positions"), "{error}");
    }
}
