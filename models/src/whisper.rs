//! Whisper, an encoder of sound and a decoder that writes what is said, numerically Hugging Face's
//! `WhisperForConditionalGeneration` in evaluation. After Radford et al., [Robust Speech Recognition via Large-Scale Weak
//! Supervision](https://arxiv.org/abs/2212.04356).
//!
//! Its input is the log-mel spectrogram that Hugging Face's `WhisperFeatureExtractor` makes of 30 seconds of sound.
//!
//! ```no_run
//! use taper_models::whisper::Whisper;
//! use taper_models::{Generation, Pretrained, Source};
//! # use candle_core::{DType, Device, Tensor};
//!
//! let model = Whisper::from_folder("whisper-tiny", DType::F32, &Device::Cpu)?;
//!
//! let features = Tensor::zeros((1, 80, 3000), DType::F32, &Device::Cpu)?;
//! let source = model.decoder.prepare(&Source::new(model.encoder.forward(&features)?, None))?;
//! // English, to be transcribed, without times.
//! let start = Tensor::new(&[[50258u32, 50259, 50359, 50363]], &Device::Cpu)?;
//! let run = model.decoder.run();
//! let mut text = Generation::new(&run, &start, source);
//! // What each head of the last block listens to while the first token is written: [batch, head, query, key].
//! let (logits, pattern) = text.step(|t| t.blocks.at(-1).cross_attn.pattern)?;
//! # Ok::<(), candle_core::Error>(())
//! ```

use candle_core::{Module, Result, Tensor, bail};
use candle_nn::{Conv1d, Conv1dConfig, Embedding, VarBuilder, conv1d, embedding};
use serde::Deserialize;
use taper::layers::{LayerNorm, Linear, layer_norm};
use taper::ops::gelu;
use taper::{Model, Weights, forward};

use crate::decoder::reading_decoder;
use crate::past::Past;
use crate::pretrained::{Pretrained, checkpoint_names};
use crate::shared::attention::{Attention, AttentionConfig, CausalAttention, CrossAttention};
use crate::shared::blocks;
use crate::shared::mlp::{Mlp, MlpConfig};
use crate::shared::{Activation, batch_and_len, causal_mask, positions, unembedding};
use crate::source::Source;

/// Added to the variance in every layer norm.
const EPSILON: f64 = 1e-5;

/// The part of Hugging Face's `config.json` that the forward pass depends on.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// The number of tokens that there are.
    pub vocab_size: usize,
    /// The number of mel bins of the spectrogram.
    pub num_mel_bins: usize,
    /// The width of the streams.
    pub d_model: usize,
    /// The number of blocks of the encoder.
    pub encoder_layers: usize,
    /// The number of attention heads in the encoder, among which the width is divided.
    pub encoder_attention_heads: usize,
    /// The width inside the encoder's MLPs.
    pub encoder_ffn_dim: usize,
    /// The number of blocks of the decoder.
    pub decoder_layers: usize,
    /// The number of attention heads in the decoder, among which the width is divided.
    pub decoder_attention_heads: usize,
    /// The width inside the decoder's MLPs.
    pub decoder_ffn_dim: usize,
    /// Half the number of frames of the spectrogram.
    pub max_source_positions: usize,
    /// The longest text, in tokens.
    pub max_target_positions: usize,
    /// The function inside the MLPs.
    #[serde(default = "exact_gelu")]
    pub activation_function: Activation,
    /// Whether the head's weight is that of the token embedding.
    #[serde(default = "yes")]
    pub tie_word_embeddings: bool,
}

// Older files lack what had only one value then.
fn exact_gelu() -> Activation {
    Activation::Gelu
}
fn yes() -> bool {
    true
}

impl Config {
    /// The keys alone have no bias.
    fn attention(&self, heads: usize) -> Result<AttentionConfig> {
        AttentionConfig::new(self.d_model, heads, [true, false, true, true], ["q_proj", "k_proj", "v_proj", "out_proj"])
    }

    fn mlp(&self, inner: usize) -> MlpConfig {
        MlpConfig { width: self.d_model, inner, activation: self.activation_function, names: ["fc1", "fc2"] }
    }
}

/// The block of the encoder.
pub type EncoderBlock = blocks::EncoderBlock<LayerNorm, Mlp>;
/// The block of the decoder.
pub type DecoderBlock = blocks::DecoderBlock<LayerNorm, Mlp>;

/// A block of the encoder.
fn encoder_block(cfg: &Config, vb: VarBuilder) -> Result<EncoderBlock> {
    let norm = |name| layer_norm(cfg.d_model, EPSILON, vb.pp(name));
    Ok(EncoderBlock {
        ln_1: norm("self_attn_layer_norm")?,
        attn: Attention::load(vb.pp("self_attn"), &cfg.attention(cfg.encoder_attention_heads)?)?,
        ln_2: norm("final_layer_norm")?,
        mlp: Mlp::load(vb.clone(), &cfg.mlp(cfg.encoder_ffn_dim))?,
    })
}

/// A block of the decoder.
fn decoder_block(cfg: &Config, vb: VarBuilder) -> Result<DecoderBlock> {
    let norm = |name| layer_norm(cfg.d_model, EPSILON, vb.pp(name));
    let attention = cfg.attention(cfg.decoder_attention_heads)?;
    Ok(DecoderBlock {
        ln_1: norm("self_attn_layer_norm")?,
        attn: CausalAttention::load(vb.pp("self_attn"), &attention)?,
        ln_cross: norm("encoder_attn_layer_norm")?,
        cross_attn: CrossAttention::load(vb.pp("encoder_attn"), &attention)?,
        ln_2: norm("final_layer_norm")?,
        mlp: Mlp::load(vb.clone(), &cfg.mlp(cfg.decoder_ffn_dim))?,
    })
}

/// Listens. Its output is the normalized stream after the last block, with a token for every two frames.
#[derive(Clone, Debug, Model)]
#[model(config = Config)]
pub struct WhisperEncoder {
    /// Over the frames: [batch, channel, frame].
    #[load(conv1d(cfg.num_mel_bins, cfg.d_model, 3, Conv1dConfig { padding: 1, ..Default::default() }))]
    pub conv1: Conv1d,
    /// Over the frames, in steps of two: [batch, channel, token].
    #[load(conv1d(cfg.d_model, cfg.d_model, 3, Conv1dConfig { padding: 1, stride: 2, ..Default::default() }))]
    pub conv2: Conv1d,
    /// Of the positions, sinusoids: [token, channel].
    #[load(embedding(cfg.max_source_positions, cfg.d_model))]
    #[prefix("embed_positions")]
    pub wpe: Embedding,
    /// The blocks, in order.
    #[load(each(cfg.encoder_layers, |_| encoder_block(cfg)))]
    #[prefix("layers")]
    pub blocks: Vec<EncoderBlock>,
    /// The normalized stream after the last block: [batch, token, channel].
    #[load(layer_norm(cfg.d_model, EPSILON))]
    #[prefix("layer_norm")]
    pub ln_f: LayerNorm,
}

#[forward]
impl WhisperEncoder {
    /// `features`: a log-mel spectrogram, [batch, mel bin, frame], of twice as many frames as there are positions, 10 ms
    /// each; shorter sound is padded with silence before. To [batch, token, channel].
    pub fn forward(&self, features: &Tensor) -> Result<Tensor> {
        let (bins, positions) = (self.conv1.weight().dim(1)?, self.wpe.embeddings().dim(0)?);
        match features.dims3() {
            Ok((_, b, frames)) if (b, frames) == (bins, 2 * positions) => (),
            _ => bail!(
                "the features are {:?} and should be [batch, {bins}, {}]: before the spectrogram is made, pad the sound \
                 with silence or cut it to {} seconds, as `WhisperFeatureExtractor` does",
                features.shape(),
                2 * positions,
                // A frame is 10 ms.
                positions as f64 / 50.0
            ),
        }
        /// After the activation: [batch, channel, frame].
        #[tap]
        let act1 = gelu(&self.conv1.forward(features)?)?;
        /// After the activation: [batch, channel, token].
        #[tap]
        let act2 = gelu(&self.conv2.forward(&act1)?)?;
        let positions = self.wpe.forward(&Tensor::arange(0, positions as u32, features.device())?)?;
        /// The stream before the first block: [batch, token, channel].
        #[tap]
        let embed = act2.transpose(1, 2)?.broadcast_add(&positions)?.contiguous()?;
        let mut x = embed;
        for block in &self.blocks {
            x = block.forward(&x, None)?;
        }
        self.ln_f.forward(&x)
    }
}

/// Writes what is said.
#[derive(Clone, Debug, Model)]
#[model(config = Config)]
pub struct WhisperDecoder {
    /// Of the tokens: [batch, token, channel].
    #[load(embedding(cfg.vocab_size, cfg.d_model))]
    #[prefix("embed_tokens")]
    pub wte: Embedding,
    /// Of the positions: [1, token, channel].
    #[load(embedding(cfg.max_target_positions, cfg.d_model))]
    #[prefix("embed_positions")]
    pub wpe: Embedding,
    /// The blocks, in order.
    #[load(each(cfg.decoder_layers, |_| decoder_block(cfg)))]
    #[prefix("layers")]
    pub blocks: Vec<DecoderBlock>,
    /// The normalized stream after the last block: [batch, token, channel].
    #[load(layer_norm(cfg.d_model, EPSILON))]
    #[prefix("layer_norm")]
    pub ln_f: LayerNorm,
    /// The logits: [batch, token, vocabulary].
    #[load(expr = unembedding(wte, cfg.tie_word_embeddings, vb.root().pp("proj_out"))?)]
    pub lm_head: Linear,
}

#[forward]
impl WhisperDecoder {
    /// `ids`: [batch, token], which follow those of the `past`, to the logits of the token after each: [batch, token,
    /// vocabulary]. `source`: what the encoder made of as many sounds.
    pub fn forward(&self, ids: &Tensor, source: &Source, past: Option<&Past>) -> Result<Tensor> {
        Past::check(past, self.blocks.len())?;
        let ((_, len), start) = (batch_and_len(ids, self.wte.embeddings())?, Past::tokens(past));
        let positions = positions(start, len, self.wpe.embeddings())?;
        /// The stream before the first block: [batch, token, channel].
        #[tap]
        let embed = self.wte.forward(ids)?.broadcast_add(&self.wpe.forward(&positions)?)?;
        let causal = causal_mask(len, start, None, embed.dtype(), embed.device())?;
        let mask = source.added(embed.dtype())?;
        let mut x = embed;
        for (i, block) in self.blocks.iter().enumerate() {
            let reads = source.of_block(i, self.blocks.len())?;
            x = block.forward(&x, &causal, past.map(|past| &past.blocks()[i]), reads, mask.as_ref())?;
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

reading_decoder!(WhisperDecoder, WhisperDecoderSites);

/// An encoder of sound and a decoder that reads it.
#[derive(Clone, Debug, Model)]
#[model(config = Config)]
pub struct Whisper {
    /// Listens.
    #[prefix("model.encoder")]
    pub encoder: WhisperEncoder,
    /// Writes.
    #[prefix("model.decoder")]
    pub decoder: WhisperDecoder,
}

#[forward]
impl Whisper {
    /// `features`: see [`WhisperEncoder::forward`]. `ids`: the text so far, [batch, token]; to the logits of the token after
    /// each: [batch, token, vocabulary].
    pub fn forward(&self, features: &Tensor, ids: &Tensor) -> Result<Tensor> {
        self.decoder.forward(ids, &Source::new(self.encoder.forward(features)?, None), None)
    }
}

impl Pretrained for Whisper {
    type Config = Config;
    const MODEL_TYPES: &'static [&'static str] = &["whisper"];

    /// Beside what [`load`](Self::load) asks for there may be a copy of the tied head. Names may lack `model.`.
    fn from_weights(weights: Weights, config: &Config) -> Result<Self> {
        let tied = config.tie_word_embeddings;
        checkpoint_names(weights, "model")
            .allow_unused(move |name| tied && name == "proj_out.weight")
            .load(|vb| Self::load(vb, config))
    }
}
