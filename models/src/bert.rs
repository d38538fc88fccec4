//! BERT and RoBERTa, numerically Hugging Face's `BertModel` and `RobertaModel` in evaluation. After Devlin et al., [BERT:
//! Pre-training of Deep Bidirectional Transformers for Language Understanding](https://arxiv.org/abs/1810.04805), and Liu
//! et al., [RoBERTa: A Robustly Optimized BERT Pretraining Approach](https://arxiv.org/abs/1907.11692).
//!
//! ```no_run
//! use taper_models::bert::Bert;
//! use taper_models::{Pooling, Pretrained};
//! # use candle_core::{DType, Device, Tensor};
//!
//! let model = Bert::from_folder("all-MiniLM-L6-v2", DType::F32, &Device::Cpu)?;
//!
//! // Two texts, the second of which is shorter.
//! let ids = Tensor::new(&[[101u32, 7592, 2088, 102], [101, 7592, 102, 0]], &Device::Cpu)?;
//! let mask = Tensor::new(&[[1u32, 1, 1, 1], [1, 1, 1, 0]], &Device::Cpu)?;
//! let (stream, patterns) =
//!     model.capture(&ids, None, Some(&mask), |t| (t.output, t.blocks.each(|b| b.attn.pattern)))?;
//!
//! // What a sentence is about, of length one: [batch, channel].
//! let sentences = Pooling::Mean.of(&stream, Some(&mask))?;
//! # Ok::<(), candle_core::Error>(())
//! ```

use candle_core::{DType, Module, Result, Tensor, bail};
use candle_nn::{Embedding, embedding};
use serde::Deserialize;
use taper::layers::{LayerNorm, Linear, layer_norm, linear};
use taper::{Model, Weights, forward};

use crate::pretrained::{Pretrained, checkpoint_names};
use crate::shared::attention::{Attention, AttentionConfig};
use crate::shared::mlp::{Mlp, MlpConfig};
use crate::shared::{Activation, batch_and_len, check_length, check_types, padding_mask, positions};

/// The part of Hugging Face's `config.json` that the forward pass depends on.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// Which of the two it is: they count positions differently.
    pub model_type: ModelType,
    /// The number of tokens that there are.
    pub vocab_size: usize,
    /// The width of the stream.
    pub hidden_size: usize,
    /// The number of blocks.
    pub num_hidden_layers: usize,
    /// The number of attention heads, among which the width is divided.
    pub num_attention_heads: usize,
    /// The width inside the MLP.
    pub intermediate_size: usize,
    /// The function inside the MLP.
    pub hidden_act: Activation,
    /// The number of positions that there are. RoBERTa does not use the first `pad_token_id + 1`.
    pub max_position_embeddings: usize,
    /// The number of types of tokens.
    #[serde(default = "two")]
    pub type_vocab_size: usize,
    /// Added to the variance in every layer norm.
    #[serde(default = "epsilon")]
    pub layer_norm_eps: f64,
    /// The token of the padding. BERT's forward pass does not depend on it.
    pub pad_token_id: Option<u32>,
    /// How positions are told apart: the only way that is supported.
    #[serde(default)]
    pub position_embedding_type: PositionEmbedding,
    /// Whether tokens read only what is earlier, which is not supported.
    #[serde(default)]
    pub is_decoder: bool,
}

impl Config {
    /// The token of the padding; what the architecture has had from the first where the file says nothing.
    pub fn padding(&self) -> u32 {
        self.pad_token_id.unwrap_or(match self.model_type {
            ModelType::Bert => 0,
            ModelType::Roberta => 1,
        })
    }

    fn attention(&self) -> Result<AttentionConfig> {
        let names = ["self.query", "self.key", "self.value", "output.dense"];
        AttentionConfig::new(self.hidden_size, self.num_attention_heads, [true; 4], names)
    }

    fn mlp(&self) -> MlpConfig {
        let (width, inner, activation) = (self.hidden_size, self.intermediate_size, self.hidden_act);
        MlpConfig { width, inner, activation, names: ["intermediate.dense", "output.dense"] }
    }

    /// The most tokens that a text may have.
    pub fn longest(&self) -> usize {
        match self.model_type {
            ModelType::Bert => self.max_position_embeddings,
            ModelType::Roberta => self.max_position_embeddings.saturating_sub(self.padding() as usize + 1),
        }
    }
}

/// What differs in the forward passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum ModelType {
    /// Positions are counted from 0, padding or not.
    #[serde(rename = "bert")]
    Bert,
    /// Positions are counted from `pad_token_id + 1` over what is no padding; that of the padding is `pad_token_id`.
    #[serde(rename = "roberta", alias = "xlm-roberta", alias = "camembert")]
    Roberta,
}

/// How positions are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionEmbedding {
    /// A vector for each, added to the token's.
    #[default]
    Absolute,
}

// Older files lack what had only one value then.
fn two() -> usize {
    2
}
fn epsilon() -> f64 {
    1e-12
}

/// What a token, its position and its type are before the first block.
#[derive(Clone, Debug, Model)]
#[model(config = Config)]
pub struct Embeddings {
    /// Of the tokens: [batch, token, channel].
    #[load(embedding(cfg.vocab_size, cfg.hidden_size))]
    pub word_embeddings: Embedding,
    /// Of the tokens' types: [batch, token, channel].
    #[load(embedding(cfg.type_vocab_size, cfg.hidden_size))]
    pub token_type_embeddings: Embedding,
    /// Of the positions: [1, token, channel] in BERT, [batch, token, channel] in RoBERTa.
    #[load(embedding(cfg.max_position_embeddings, cfg.hidden_size))]
    pub position_embeddings: Embedding,
    /// The sum, normalized: [batch, token, channel].
    #[load(layer_norm(cfg.hidden_size, cfg.layer_norm_eps))]
    #[prefix("LayerNorm")]
    pub ln: LayerNorm,
    /// The token of the padding, if positions are counted from it.
    #[load(value = (cfg.model_type == ModelType::Roberta).then(|| cfg.padding()))]
    pub padding: Option<u32>,
}

#[forward]
impl Embeddings {
    /// `ids`, `token_types`: [batch, token], to [batch, token, channel].
    pub fn forward(&self, ids: &Tensor, token_types: Option<&Tensor>) -> Result<Tensor> {
        batch_and_len(ids, self.word_embeddings.embeddings())?;
        let zeros;
        let token_types = match token_types {
            Some(token_types) => {
                check_types(token_types, ids, self.token_type_embeddings.embeddings())?;
                token_types
            }
            None => {
                zeros = ids.zeros_like()?;
                &zeros
            }
        };
        let positions = self.positions(ids)?;
        let words = (self.word_embeddings.forward(ids)? + self.token_type_embeddings.forward(token_types)?)?;
        self.ln.forward(&words.broadcast_add(&self.position_embeddings.forward(&positions)?)?)
    }
}

impl Embeddings {
    /// [1, token] or [batch, token].
    fn positions(&self, ids: &Tensor) -> Result<Tensor> {
        let ((_, len), table) = (ids.dims2()?, self.position_embeddings.embeddings());
        let Some(padding) = self.padding else { return positions(0, len, table) };
        let words = ids.ne(padding)?.to_dtype(DType::F32)?;
        let most = table.dim(0)?.saturating_sub(padding as usize + 1);
        if len > most {
            // Padding needs no position of its own.
            check_length(words.sum(1)?.max(0)?.to_scalar::<f32>()? as usize, most)?;
        }
        ((words.cumsum(1)? * words)? + f64::from(padding))?.to_dtype(DType::U32)
    }
}

/// Attention and an MLP, each adding to the stream, which is normalized after each. Its output is that of `ln_2`.
#[derive(Clone, Debug, Model)]
#[model(config = Config)]
pub struct Block {
    /// Reads other tokens. Scores are the lowest number of their type where a key is padding.
    #[load(config = &cfg.attention()?)]
    #[prefix("attention")]
    pub attn: Attention,
    /// The stream after the attention, normalized, which the MLP reads: [batch, token, channel].
    #[load(layer_norm(cfg.hidden_size, cfg.layer_norm_eps))]
    #[prefix("attention.output.LayerNorm")]
    pub ln_1: LayerNorm,
    /// Reads the token itself.
    #[load(config = &cfg.mlp())]
    #[prefix("")]
    pub mlp: Mlp,
    /// The stream after the MLP, normalized, which the next block reads: [batch, token, channel].
    #[load(layer_norm(cfg.hidden_size, cfg.layer_norm_eps))]
    #[prefix("output.LayerNorm")]
    pub ln_2: LayerNorm,
}

#[forward]
impl Block {
    /// `x`: the stream, [batch, token, channel], to the same. `mask`: [batch, 1, 1, key], added to the scores.
    pub fn forward(&self, x: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        /// The stream after the attention, before the norm: [batch, token, channel].
        #[tap]
        let after_attn = (x + self.attn.forward(x, mask)?)?;
        let x = self.ln_1.forward(&after_attn)?;
        /// The stream after the MLP, before the norm: [batch, token, channel].
        #[tap]
        let after_mlp = (&x + self.mlp.forward(&x)?)?;
        self.ln_2.forward(&after_mlp)
    }
}

/// A layer and a tanh over the first token.
#[derive(Clone, Debug, Model)]
#[model(config = Config)]
pub struct Pooler {
    /// Before the tanh: [batch, channel].
    #[load(linear(cfg.hidden_size, cfg.hidden_size))]
    pub dense: Linear,
}

#[forward]
impl Pooler {
    /// `x`: [batch, token, channel], to [batch, channel].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.dense.forward(&x.get_on_dim(1, 0)?)?.tanh()
    }
}

/// BERT or RoBERTa without a head. Its output is the stream after the last block.
#[derive(Clone, Debug, Model)]
#[model(config = Config)]
pub struct Bert {
    /// The stream before the first block: [batch, token, channel].
    pub embeddings: Embeddings,
    /// The blocks, in order.
    #[load(each(cfg.num_hidden_layers))]
    #[prefix("encoder.layer")]
    pub blocks: Vec<Block>,
    /// Of the first token, if the file has it: [batch, channel]. The output does not depend on it.
    #[load(maybe(vb.contains_tensor("pooler.dense.weight")))]
    pub pooler: Option<Pooler>,
}

#[forward]
impl Bert {
    /// `ids`: [batch, token]. `token_types`: the same, all 0 if there are none. `mask`: integers of the same shape, 0 where a
    /// token is padding, which no token reads; all are read without. To [batch, token, channel], which at padding means
    /// nothing.
    pub fn forward(&self, ids: &Tensor, token_types: Option<&Tensor>, mask: Option<&Tensor>) -> Result<Tensor> {
        let mut x = self.embeddings.forward(ids, token_types)?;
        let mask = mask.map(|mask| padding_mask(mask, ids.dims2()?, x.dtype())).transpose()?;
        for block in &self.blocks {
            x = block.forward(&x, mask.as_ref())?;
        }
        if let Some(pooler) = &self.pooler {
            pooler.forward(&x)?;
        }
        Ok(x)
    }
}

impl Pretrained for Bert {
    type Config = Config;
    const MODEL_TYPES: &'static [&'static str] = &["bert", "roberta", "xlm-roberta", "camembert"];

    /// Beside what [`load`](Self::load) asks for there may be heads (for masked tokens, the next sentence, classes, answers)
    /// and the positions as a buffer. Names may begin with `bert.` or `roberta.`, and norms have `gamma` and `beta`.
    fn from_weights(weights: Weights, config: &Config) -> Result<Self> {
        if config.is_decoder {
            bail!("field `is_decoder` is true: a BERT that reads only what is earlier is not supported");
        }
        const HEADS: &[&str] = &["cls.", "lm_head.", "classifier.", "qa_outputs."];
        const BUFFERS: &[&str] = &["embeddings.position_ids", "embeddings.token_type_ids"];
        let prefix = if config.model_type == ModelType::Bert { "bert" } else { "roberta" };
        checkpoint_names(weights, prefix)
            .allow_unused(|name| HEADS.iter().any(|head| name.starts_with(head)))
            .allow_unused(|name| BUFFERS.iter().any(|buffer| name.ends_with(buffer)))
            .load(|vb| Self::load(vb, config))
    }
}
