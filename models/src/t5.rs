//! T5, an encoder and a decoder that reads it, numerically Hugging Face's `T5ForConditionalGeneration` in evaluation: the
//! first T5, version 1.1, Flan-T5, and mT5 as `MT5ForConditionalGeneration`. After Raffel et al., [Exploring the Limits of Transfer Learning with a Unified
//! Text-to-Text Transformer](https://arxiv.org/abs/1910.10683).
//!
//! ```no_run
//! use taper_models::t5::T5;
//! use taper_models::{Generation, Pretrained, Source};
//! # use candle_core::{DType, Device, Tensor};
//!
//! let model = T5::from_folder("flan-t5-small", DType::F32, &Device::Cpu)?;
//!
//! let ids = Tensor::new(&[[8774u32, 1150, 1]], &Device::Cpu)?;
//! let (encoded, patterns) = model.encoder.capture(&ids, None, |t| (t.output, t.blocks.each(|b| b.attn.pattern)))?;
//!
//! // The answer begins with the token of the padding and ends with token 1.
//! let source = model.decoder.prepare(&Source::new(encoded, None))?;
//! let run = model.decoder.run();
//! let mut answer = Generation::new(&run, &Tensor::new(&[[0u32]], &Device::Cpu)?, source);
//! answer.generate(20, &[1], |logits| logits.argmax(1))?;
//! # Ok::<(), candle_core::Error>(())
//! ```

mod config;

use candle_core::{Device, Module, Result, Tensor, bail};
use candle_nn::{Embedding, VarBuilder, embedding};
use taper::layers::{Linear, RmsNorm, linear_no_bias, rms_norm};
use taper::{Model, Weights, forward};

use crate::decoder::reading_decoder;
use crate::past::Past;
use crate::pretrained::Pretrained;
use crate::shared::attention::{Attention, CausalAttention, CrossAttention};
use crate::shared::blocks;
use crate::shared::{Activation, batch_and_len, causal_mask, padding_mask, same, unembedding};
use crate::source::Source;

pub use config::{Config, FeedForward, ModelType};

/// A configuration, and what encoder and decoder have together.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The configuration.
    pub config: Config,
    /// Of the tokens.
    pub embed: Embedding,
    /// From the stream to the logits.
    pub lm_head: Linear,
}

impl Shared {
    /// Of the whole model's weights.
    fn load(vb: &VarBuilder, cfg: &Config) -> Result<Self> {
        let embed = embedding(cfg.vocab_size, cfg.d_model, vb.pp("shared"))?;
        // Since its version 5 Hugging Face's library says of all models that they are tied; a head of its own is there then
        // if the stream is not scaled before it.
        let there = vb.contains_tensor("lm_head.weight");
        let tied = match cfg.model_type {
            ModelType::T5 => cfg.tie_word_embeddings && !(cfg.scale_decoder_outputs == Some(false) && there),
            ModelType::Mt5 => !there,
        };
        let lm_head = unembedding(&embed, tied, vb.pp("lm_head"))?;
        Ok(Self { config: cfg.clone(), embed, lm_head })
    }
}

/// What is added to the scores of each head by how far a key is from its query.
#[derive(Clone, Debug, Model)]
#[model(config = Config)]
pub struct RelativeBias {
    /// By the number of the distance: [query, key, head].
    #[load(embedding(cfg.relative_attention_num_buckets, cfg.num_heads))]
    #[prefix("")]
    pub table: Embedding,
    /// The distance from which on all are one.
    #[load(value = cfg.relative_attention_max_distance)]
    pub max_distance: usize,
    /// Whether keys that are later than the query are told apart, as in the encoder.
    #[load(value = true)]
    pub both_ways: bool,
}

#[forward]
impl RelativeBias {
    /// Of `tokens` queries that follow `past` other tokens, and all the keys: [1, head, query, key].
    pub fn forward(&self, tokens: usize, past: usize, device: &Device) -> Result<Tensor> {
        let keys = past + tokens;
        let pairs = (past..keys).flat_map(|query| (0..keys).map(move |key| (query, key)));
        let buckets: Vec<u32> = pairs.map(|(query, key)| self.bucket(query, key) as u32).collect();
        let table = self.table.forward(&Tensor::from_vec(buckets, (tokens, keys), device)?)?;
        table.permute((2, 0, 1))?.unsqueeze(0)?.contiguous()
    }
}

impl RelativeBias {
    /// The number of the distance: half of them are for one distance each, half for ranges that grow with the distance.
    fn bucket(&self, query: usize, key: usize) -> usize {
        let all = self.table.embeddings().dims()[0];
        let (distance, buckets, first) = match self.both_ways {
            true => (key.abs_diff(query), all / 2, if key > query { all / 2 } else { 0 }),
            false => (query.saturating_sub(key), all, 0),
        };
        let exact = buckets / 2;
        if distance < exact {
            return first + distance;
        }
        // In the order and the precision of the original, where a range begins being a matter of rounding.
        let (near, far) = (exact as f64, self.max_distance as f64);
        let part = (distance as f32 / near as f32).ln() / (far / near).ln() as f32;
        first + (exact + (part * (buckets - exact) as f32) as usize).min(buckets - 1)
    }
}

/// Two layers with an activation between them, which may be multiplied by a third layer; for each token by itself.
#[derive(Clone, Debug, Model)]
#[model(config = Config)]
pub struct Mlp {
    /// In a gated MLP, before the activation: [batch, token, inner].
    #[load(maybe(cfg.mlp().gated, linear_no_bias(cfg.d_model, cfg.d_ff)))]
    #[prefix("wi_0")]
    pub gate: Option<Linear>,
    /// Before the activation; in a gated MLP, what the gate is multiplied by: [batch, token, inner].
    #[load(expr = linear_no_bias(cfg.d_model, cfg.d_ff, vb.pp(if gate.is_some() { "wi_1" } else { "wi" }))?)]
    pub up: Linear,
    /// Back to the stream: [batch, token, channel].
    #[load(linear_no_bias(cfg.d_ff, cfg.d_model))]
    #[prefix("wo")]
    pub down: Linear,
    /// What `act` is by.
    #[load(value = cfg.mlp().activation)]
    pub activation: Activation,
}

#[forward]
impl Mlp {
    /// `x`: [batch, token, channel] to the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let up = self.up.forward(x)?;
        let inner = if let Some(gate) = &self.gate {
            /// The gate after the activation: [batch, token, inner].
            #[tap]
            let gate_act = self.activation.of(&gate.forward(x)?)?;
            (gate_act * up)?
        } else {
            self.activation.of(&up)?
        };
        /// What `down` reads, after the activation: [batch, token, inner].
        #[tap]
        let act = inner;
        self.down.forward(&act)
    }
}

/// The block of the encoder.
pub type EncoderBlock = blocks::EncoderBlock<RmsNorm, Mlp>;
/// The block of the decoder.
pub type DecoderBlock = blocks::DecoderBlock<RmsNorm, Mlp>;

/// A block of the encoder.
fn encoder_block(cfg: &Config, vb: VarBuilder) -> Result<EncoderBlock> {
    let norm = |name| rms_norm(cfg.d_model, cfg.layer_norm_epsilon, vb.pp(name));
    Ok(EncoderBlock {
        ln_1: norm("layer.0.layer_norm")?,
        attn: Attention::load(vb.pp("layer.0.SelfAttention"), &cfg.attention())?,
        ln_2: norm("layer.1.layer_norm")?,
        mlp: Mlp::load(vb.pp("layer.1.DenseReluDense"), cfg)?,
    })
}

/// A block of the decoder.
fn decoder_block(cfg: &Config, vb: VarBuilder) -> Result<DecoderBlock> {
    let norm = |name| rms_norm(cfg.d_model, cfg.layer_norm_epsilon, vb.pp(name));
    Ok(DecoderBlock {
        ln_1: norm("layer.0.layer_norm")?,
        attn: CausalAttention::load(vb.pp("layer.0.SelfAttention"), &cfg.attention())?,
        ln_cross: norm("layer.1.layer_norm")?,
        cross_attn: CrossAttention::load(vb.pp("layer.1.EncDecAttention"), &cfg.attention())?,
        ln_2: norm("layer.2.layer_norm")?,
        mlp: Mlp::load(vb.pp("layer.2.DenseReluDense"), cfg)?,
    })
}

/// Reads a text. Its output is the normalized stream after the last block.
#[derive(Clone, Debug, Model)]
#[model(config = Shared)]
pub struct T5Encoder {
    /// The stream before the first block: [batch, token, channel].
    #[load(expr = cfg.embed.clone())]
    pub embed: Embedding,
    /// What all blocks add to their scores: [1, head, query, key].
    #[load(config = &cfg.config)]
    #[prefix("block.0.layer.0.SelfAttention.relative_attention_bias")]
    pub relative_bias: RelativeBias,
    /// The blocks, in order.
    #[load(each(cfg.config.num_layers, |_| encoder_block(&cfg.config)))]
    #[prefix("block")]
    pub blocks: Vec<EncoderBlock>,
    /// The normalized stream after the last block: [batch, token, channel].
    #[load(rms_norm(cfg.config.d_model, cfg.config.layer_norm_epsilon))]
    #[prefix("final_layer_norm")]
    pub ln_f: RmsNorm,
}

#[forward]
impl T5Encoder {
    /// `ids`: [batch, token]. `mask`: integers of the same shape, 0 where a token is padding, which no token reads; all are
    /// read without. To [batch, token, channel], which at padding means nothing.
    pub fn forward(&self, ids: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (batch, len) = batch_and_len(ids, self.embed.embeddings())?;
        let mut x = self.embed.forward(ids)?;
        let mut bias = self.relative_bias.forward(len, 0, ids.device())?;
        if let Some(mask) = mask {
            bias = bias.broadcast_add(&padding_mask(mask, (batch, len), x.dtype())?)?;
        }
        for block in &self.blocks {
            x = block.forward(&x, Some(&bias))?;
        }
        self.ln_f.forward(&x)
    }
}

/// Writes a text, reading what the encoder made.
#[derive(Clone, Debug, Model)]
#[model(config = Shared)]
pub struct T5Decoder {
    /// The stream before the first block: [batch, token, channel].
    #[load(expr = cfg.embed.clone())]
    pub embed: Embedding,
    /// What all blocks add to the scores of their self-attention: [1, head, query, key].
    #[load(expr = one_way(cfg, vb.pp("block.0.layer.0.SelfAttention.relative_attention_bias"))?)]
    pub relative_bias: RelativeBias,
    /// The blocks, in order.
    #[load(each(cfg.config.num_decoder_layers.unwrap_or(cfg.config.num_layers), |_| decoder_block(&cfg.config)))]
    #[prefix("block")]
    pub blocks: Vec<DecoderBlock>,
    /// The normalized stream after the last block: [batch, token, channel].
    #[load(rms_norm(cfg.config.d_model, cfg.config.layer_norm_epsilon))]
    #[prefix("final_layer_norm")]
    pub ln_f: RmsNorm,
    /// The logits: [batch, token, vocabulary].
    #[load(expr = cfg.lm_head.clone())]
    pub lm_head: Linear,
    /// What the head reads is the normalized stream times this, if it is scaled.
    #[load(value = cfg.config.head_scale())]
    pub head_scale: Option<f64>,
}

#[forward]
impl T5Decoder {
    /// `ids`: [batch, token], which follow those of the `past` and begin with the token of the padding, to the logits of the
    /// token after each: [batch, token, vocabulary]. `source`: what the encoder made of as many texts.
    pub fn forward(&self, ids: &Tensor, source: &Source, past: Option<&Past>) -> Result<Tensor> {
        Past::check(past, self.blocks.len())?;
        let ((_, len), start) = (batch_and_len(ids, self.embed.embeddings())?, Past::tokens(past));
        let mut x = self.embed.forward(ids)?;
        let bias = self.relative_bias.forward(len, start, ids.device())?;
        let bias = bias.broadcast_add(&causal_mask(len, start, None, x.dtype(), x.device())?)?;
        let mask = source.added(x.dtype())?;
        for (i, block) in self.blocks.iter().enumerate() {
            let reads = source.of_block(i, self.blocks.len())?;
            x = block.forward(&x, &bias, past.map(|past| &past.blocks()[i]), reads, mask.as_ref())?;
        }
        self.unembed(&x)
    }

    /// The logits of a stream: the last norm and the head. [batch, token, channel] to [batch, token, vocabulary].
    ///
    /// # Errors
    /// A stream of another width.
    pub fn unembed(&self, stream: &Tensor) -> Result<Tensor> {
        let mut stream = self.ln_f.forward(stream)?;
        if let Some(scale) = self.head_scale {
            stream = (stream * scale)?;
        }
        self.lm_head.forward(&stream)
    }
}

reading_decoder!(T5Decoder, T5DecoderSites);

/// An encoder and a decoder that reads it.
#[derive(Clone, Debug, Model)]
pub struct T5 {
    /// Reads a text.
    pub encoder: T5Encoder,
    /// Writes another.
    pub decoder: T5Decoder,
}

#[forward]
impl T5 {
    /// `ids`: [batch, token]. `mask`: see [`T5Encoder::forward`]. `answer`: [batch, token of the answer], which begins with
    /// the token of the padding; to the logits of the token after each: [batch, token of the answer, vocabulary].
    pub fn forward(&self, ids: &Tensor, mask: Option<&Tensor>, answer: &Tensor) -> Result<Tensor> {
        let source = Source::new(self.encoder.forward(ids, mask)?, mask.cloned());
        self.decoder.forward(answer, &source, None)
    }
}

impl T5 {
    /// Loads it, under the names of Hugging Face's files.
    ///
    /// # Errors
    /// Tensors that are missing or misshapen, and sizes that are not supported.
    pub fn load(vb: VarBuilder, cfg: &Config) -> Result<Self> {
        let (buckets, far) = (cfg.relative_attention_num_buckets, cfg.relative_attention_max_distance);
        if buckets < 4 || far <= buckets / 2 {
            bail!(
                "{buckets} buckets for distances up to {far}: give at least 4, and a distance above half their number"
            );
        }
        let shared = Shared::load(&vb, cfg)?;
        let encoder = T5Encoder::load(vb.pp("encoder"), &shared)?;
        Ok(Self { encoder, decoder: T5Decoder::load(vb.pp("decoder"), &shared)? })
    }
}

impl Pretrained for T5 {
    type Config = Config;
    const MODEL_TYPES: &'static [&'static str] = &["t5", "mt5"];

    /// Beside what [`load`](Self::load) asks for there may be copies of the token embedding, and a bias of the first
    /// cross-attention, which the first files have and nobody reads.
    fn from_weights(weights: Weights, config: &Config) -> Result<Self> {
        const COPIES: [&str; 2] = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight"];
        const UNREAD: &str = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";
        let tied = config.tie_word_embeddings;
        // Where the first is not there, the others are it.
        let all = ["shared.weight", COPIES[0], COPIES[1]].map(|name| weights.contains(name).then_some(name));
        let copies: Vec<_> = all.into_iter().flatten().skip(1).collect();
        weights
            .or_named(|name| (name == "shared.weight").then(|| COPIES[0].to_owned()))
            .allow_unused(move |name| name == UNREAD || (tied && name == "lm_head.weight"))
            .load(|vb| {
                let model = Self::load(vb.clone(), config)?;
                let embeddings = model.encoder.embed.embeddings();
                for copy in &copies {
                    if !same(&vb.get(embeddings.shape(), copy)?, embeddings)? {
                        bail!("`{copy}` and the shared embedding differ: one for each stack is not supported");
                    }
                }
                Ok(model)
            })
    }
}

/// The decoder's bias, by how much earlier a key is.
fn one_way(cfg: &Shared, vb: VarBuilder) -> Result<RelativeBias> {
    Ok(RelativeBias { both_ways: false, ..RelativeBias::load(vb, &cfg.config)? })
}
