//! CLIP: one tower for images, one for texts, and how well they go together; numerically Hugging Face's `CLIPModel` in
//! evaluation. After Radford et al., [Learning Transferable Visual Models From Natural Language
//! Supervision](https://arxiv.org/abs/2103.00020).
//!
//! ```no_run
//! use taper_models::Pretrained;
//! use taper_models::clip::Clip;
//! # use candle_core::{DType, Device, Tensor};
//!
//! let model = Clip::from_folder("clip-vit-base-patch32", DType::F32, &Device::Cpu)?;
//!
//! let images = Tensor::zeros((2, 3, 224, 224), DType::F32, &Device::Cpu)?;
//! let texts = Tensor::new(&[[49406u32, 320, 1929, 49407]], &Device::Cpu)?;
//! let (logits, embeds) = model.capture(&images, &texts, None, |t| (t.output, t.image_embeds))?;
//! assert_eq!((logits.dims(), embeds.dims()), (&[2, 1][..], &[2, 512][..]));
//!
//! // Each tower by itself.
//! let pooled = model.text.forward(&texts, None)?;
//! # Ok::<(), candle_core::Error>(())
//! ```

use candle_core::{DType, Module, Result, Tensor, bail};
use candle_nn::{Embedding, embedding};
use serde::Deserialize;
use taper::layers::{Conv2d, LayerNorm, Linear, conv2d_no_bias, layer_norm, linear_no_bias};
use taper::{Model, Weights, forward};

use crate::pretrained::Pretrained;
use crate::shared::vision::{Block, BlockConfig, block};
use crate::shared::{
    Activation, Patches, as_tokens, batch_and_len, causal_mask, causal_padding_mask, height_and_width, positions,
    with_class,
};

/// The part of Hugging Face's `config.json` that the forward pass depends on.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Fields")]
pub struct Config {
    /// Of the tower for texts.
    pub text_config: TextConfig,
    /// Of the tower for images.
    pub vision_config: VisionConfig,
    /// The width in which images and texts are compared.
    pub projection_dim: usize,
}

/// The fields of `config.json`. Older files have those of a tower twice; what ends with `_dict` then counts, as in the
/// original.
#[derive(Deserialize)]
struct Fields {
    text_config: Option<TextConfig>,
    text_config_dict: Option<TextConfig>,
    vision_config: Option<VisionConfig>,
    vision_config_dict: Option<VisionConfig>,
    projection_dim: Option<usize>,
}

impl From<Fields> for Config {
    fn from(fields: Fields) -> Self {
        Self {
            text_config: fields.text_config_dict.or(fields.text_config).unwrap_or_default(),
            vision_config: fields.vision_config_dict.or(fields.vision_config).unwrap_or_default(),
            projection_dim: fields.projection_dim.unwrap_or(512),
        }
    }
}

/// Of the tower for texts. What is absent is as in the first CLIP.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct TextConfig {
    /// The number of tokens that there are.
    pub vocab_size: usize,
    /// The longest text, in tokens.
    pub max_position_embeddings: usize,
    /// The token that ends a text, whose stream is read. 2 means the largest token of each text: the first configurations
    /// say so, and have it last in their vocabulary.
    pub eos_token_id: u32,
    /// The width of the stream.
    pub hidden_size: usize,
    /// The width inside the MLP.
    pub intermediate_size: usize,
    /// The number of blocks.
    pub num_hidden_layers: usize,
    /// The number of attention heads, among which the width is divided.
    pub num_attention_heads: usize,
    /// The function inside the MLP.
    pub hidden_act: Activation,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
}

/// Of the tower for images. What is absent is as in the first CLIP.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct VisionConfig {
    /// Height and width of the images, in pixels.
    #[serde(deserialize_with = "height_and_width")]
    pub image_size: [usize; 2],
    /// The side of a patch, in pixels.
    pub patch_size: usize,
    /// The channels of the images.
    pub num_channels: usize,
    /// The width of the stream.
    pub hidden_size: usize,
    /// The width inside the MLP.
    pub intermediate_size: usize,
    /// The number of blocks.
    pub num_hidden_layers: usize,
    /// The number of attention heads, among which the width is divided.
    pub num_attention_heads: usize,
    /// The function inside the MLP.
    pub hidden_act: Activation,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 49408,
            max_position_embeddings: 77,
            eos_token_id: 49407,
            hidden_size: 512,
            intermediate_size: 2048,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
        }
    }
}

impl Default for VisionConfig {
    fn default() -> Self {
        Self {
            image_size: [224, 224],
            patch_size: 32,
            num_channels: 3,
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
        }
    }
}

impl TextConfig {
    fn block(&self) -> BlockConfig {
        BlockConfig {
            width: self.hidden_size,
            inner: self.intermediate_size,
            heads: self.num_attention_heads,
            qkv_bias: true,
            epsilon: self.layer_norm_eps,
            activation: self.hidden_act,
        }
    }

    /// Which token of each text ends it.
    ///
    /// # Errors
    /// A text without one, and one of which `mask` lets the token read nothing: where texts are padded by the token that ends
    /// them, padding before a text ends it before it begins. A text of nothing but padding is left alone.
    fn ends(&self, ids: &Tensor, mask: Option<&Tensor>) -> Result<Vec<usize>> {
        let end = |text: &Vec<u32>| {
            let end = if self.eos_token_id == 2 { text.iter().copied().max() } else { Some(self.eos_token_id) };
            text.iter().position(|&id| Some(id) == end)
        };
        let ends: Option<Vec<_>> = ids.to_dtype(DType::U32)?.to_vec2()?.iter().map(end).collect();
        let Some(ends) = ends else {
            bail!("a text has no token {}, which ends a text; append it to each", self.eos_token_id)
        };
        let masks = mask.map(|mask| mask.ne(0u32)?.to_vec2::<u8>()).transpose()?.unwrap_or_default();
        let before = |(mask, &end): (&Vec<u8>, &usize)| mask.contains(&1) && !mask[..=end].contains(&1);
        match masks.iter().zip(&ends).position(before) {
            Some(text) => bail!(
                "the first token that ends text {text} is padding before it: pad behind the texts, or by another token"
            ),
            None => Ok(ends),
        }
    }
}

impl VisionConfig {
    fn block(&self) -> BlockConfig {
        BlockConfig {
            width: self.hidden_size,
            inner: self.intermediate_size,
            heads: self.num_attention_heads,
            qkv_bias: true,
            epsilon: self.layer_norm_eps,
            activation: self.hidden_act,
        }
    }

    fn patches(&self) -> Patches {
        Patches { image: self.image_size, side: self.patch_size }
    }
}

/// Reads images.
#[derive(Clone, Debug, Model)]
#[model(config = VisionConfig)]
pub struct VisionTower {
    /// Of each patch by itself: [batch, channel, row, column].
    #[load(conv2d_no_bias(cfg.num_channels, cfg.hidden_size, cfg.patch_size, cfg.patches().conv()))]
    #[prefix("embeddings.patch_embedding")]
    pub patch_embedding: Conv2d,
    /// The token before the patches: `[channel]`.
    #[load(tensor(cfg.hidden_size))]
    #[prefix("embeddings.class_embedding")]
    pub class_token: Tensor,
    /// Of the tokens' places: [1, token, channel].
    #[load(embedding(1 + cfg.patches().count()?, cfg.hidden_size))]
    #[prefix("embeddings.position_embedding")]
    pub position_embedding: Embedding,
    /// The stream before the first block: [batch, token, channel].
    #[load(layer_norm(cfg.hidden_size, cfg.layer_norm_eps))]
    #[prefix("pre_layrnorm")]
    pub ln_pre: LayerNorm,
    /// The blocks, in order.
    #[load(each(cfg.num_hidden_layers, |_| block(&cfg.block())))]
    #[prefix("encoder.layers")]
    pub blocks: Vec<Block>,
    /// The normalized class token after the last block: [batch, channel].
    #[load(layer_norm(cfg.hidden_size, cfg.layer_norm_eps))]
    #[prefix("post_layernorm")]
    pub ln_post: LayerNorm,
    /// What it is loaded by.
    #[load(value = cfg.clone())]
    pub config: VisionConfig,
}

#[forward]
impl VisionTower {
    /// `images`: [batch, channel, height, width] of the configuration's size, normalized as the weights want it; to [batch,
    /// channel].
    pub fn forward(&self, images: &Tensor) -> Result<Tensor> {
        self.config.patches().check(images, self.config.num_channels)?;
        /// Row by row: [batch, patch, channel].
        #[tap]
        let patches = as_tokens(&self.patch_embedding.forward(images)?)?;
        let tokens = with_class(&self.class_token.reshape((1, 1, ()))?, &patches)?;
        let positions = Tensor::arange(0, tokens.dim(1)? as u32, images.device())?.unsqueeze(0)?;
        /// The tokens before the first norm: [batch, token, channel], the class token first.
        #[tap]
        let embed = tokens.broadcast_add(&self.position_embedding.forward(&positions)?)?;
        let mut x = self.ln_pre.forward(&embed)?;
        for block in &self.blocks {
            x = block.forward(&x, None)?;
        }
        self.ln_post.forward(&x.get_on_dim(1, 0)?)
    }
}

impl VisionTower {
    /// The same model for images of another height and width, in pixels: the positions are interpolated, as the original does
    /// with `interpolate_pos_encoding=True`. Everything else is shared with this.
    ///
    /// # Errors
    /// Images that are smaller than a patch.
    pub fn for_images(&self, size: [usize; 2]) -> Result<Self> {
        let positions = self.config.patches().positions_for(self.position_embedding.embeddings(), size)?;
        let position_embedding = Embedding::new(positions, self.config.hidden_size);
        let config = VisionConfig { image_size: size, ..self.config.clone() };
        Ok(Self { position_embedding, config, ..self.clone() })
    }
}

/// Reads texts: each token what is earlier.
#[derive(Clone, Debug, Model)]
#[model(config = TextConfig)]
pub struct TextTower {
    /// Of the tokens: [batch, token, channel].
    #[load(embedding(cfg.vocab_size, cfg.hidden_size))]
    #[prefix("embeddings.token_embedding")]
    pub token_embedding: Embedding,
    /// Of the positions: [1, token, channel].
    #[load(embedding(cfg.max_position_embeddings, cfg.hidden_size))]
    #[prefix("embeddings.position_embedding")]
    pub position_embedding: Embedding,
    /// The blocks, in order.
    #[load(each(cfg.num_hidden_layers, |_| block(&cfg.block())))]
    #[prefix("encoder.layers")]
    pub blocks: Vec<Block>,
    /// The normalized stream after the last block: [batch, token, channel].
    #[load(layer_norm(cfg.hidden_size, cfg.layer_norm_eps))]
    #[prefix("final_layer_norm")]
    pub ln_f: LayerNorm,
    /// What it is loaded by.
    #[load(value = cfg.clone())]
    pub config: TextConfig,
}

#[forward]
impl TextTower {
    /// `ids`: [batch, token], texts with the token that ends them, and anything behind it, which nobody reads. `mask`:
    /// integers of the same shape, 0 where a token is padding, which no token reads; needed only where padding is before
    /// the end of a text. To what stands at the token that ends each: [batch, channel].
    pub fn forward(&self, ids: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (batch, len) = batch_and_len(ids, self.token_embedding.embeddings())?;
        let positions = positions(0, len, self.position_embedding.embeddings())?;
        /// The stream before the first block: [batch, token, channel].
        #[tap]
        let embed = self.token_embedding.forward(ids)?.broadcast_add(&self.position_embedding.forward(&positions)?)?;
        let readable = match mask {
            None => causal_mask(len, 0, None, embed.dtype(), embed.device())?,
            Some(mask) => causal_padding_mask(mask, (batch, len), embed.dtype())?,
        };
        let mut x = embed;
        for block in &self.blocks {
            x = block.forward(&x, Some(&readable))?;
        }
        let ends = self.config.ends(ids, mask)?.into_iter().enumerate().map(|(text, end)| (text * len + end) as u32);
        let ends = Tensor::from_vec(ends.collect(), batch, ids.device())?;
        self.ln_f.forward(&x)?.flatten_to(1)?.index_select(&ends, 0)
    }
}

/// Both towers.
#[derive(Clone, Debug, Model)]
#[model(config = Config)]
pub struct Clip {
    /// Reads the images.
    #[load(config = &cfg.vision_config)]
    #[prefix("vision_model")]
    pub vision: VisionTower,
    /// Of what the tower gives, to the width of both: [image, channel].
    #[load(linear_no_bias(cfg.vision_config.hidden_size, cfg.projection_dim))]
    pub visual_projection: Linear,
    /// Reads the texts.
    #[load(config = &cfg.text_config)]
    #[prefix("text_model")]
    pub text: TextTower,
    /// Of what the tower gives, to the width of both: [text, channel].
    #[load(linear_no_bias(cfg.text_config.hidden_size, cfg.projection_dim))]
    pub text_projection: Linear,
    /// The logarithm of what similarities are multiplied by: a number.
    #[load(tensor(()))]
    pub logit_scale: Tensor,
}

#[forward]
impl Clip {
    /// `images`: see [`VisionTower::forward`]; `ids`, `mask`: see [`TextTower::forward`]. To how well each image and each
    /// text go together, before a softmax over the texts: [image, text], `logits_per_image`.
    pub fn forward(&self, images: &Tensor, ids: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        /// Of length one: [image, channel].
        #[tap]
        let image_embeds = normalized(&self.visual_projection.forward(&self.vision.forward(images)?)?)?;
        /// Of length one: [text, channel].
        #[tap]
        let text_embeds = normalized(&self.text_projection.forward(&self.text.forward(ids, mask)?)?)?;
        image_embeds.matmul(&text_embeds.t()?)?.broadcast_mul(&self.logit_scale.exp()?)
    }
}

impl Pretrained for Clip {
    type Config = Config;
    const MODEL_TYPES: &'static [&'static str] = &["clip"];

    fn from_weights(weights: Weights, config: &Config) -> Result<Self> {
        weights.allow_unused(|name| name.ends_with(".position_ids")).load(|vb| Self::load(vb, config))
    }
}

/// Divided by its length: [batch, channel] to the same.
fn normalized(x: &Tensor) -> Result<Tensor> {
    x.broadcast_div(&x.sqr()?.sum_keepdim(1)?.sqrt()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tower_that_is_described_twice_is_as_the_older_field_says() {
        let config = |json: &str| serde_json::from_str::<Config>(json).unwrap();
        let twice = config(
            r#"{"text_config": {"hidden_act": "relu", "hidden_size": 8}, "text_config_dict": {"hidden_act": "gelu"},
                "vision_config": {"hidden_size": 8}, "vision_config_dict": null}"#,
        );
        // The original takes all of it from there, what is absent too.
        assert_eq!((twice.text_config.hidden_act, twice.text_config.hidden_size), (Activation::Gelu, 512));
        assert_eq!((twice.vision_config.hidden_size, twice.projection_dim), (8, 512));
        assert_eq!(config("{}").vision_config.patch_size, 32);
    }
}
