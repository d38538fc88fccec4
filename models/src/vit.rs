//! ViT for images, numerically Hugging Face's `ViTModel` and `ViTForImageClassification` and timm's `vit_base_patch16_224`
//! and the like in evaluation. After Dosovitskiy et al., [An Image is Worth 16×16 Words](https://arxiv.org/abs/2010.11929).
//!
//! ```no_run
//! use taper_models::Pretrained;
//! use taper_models::vit::VitClassifier;
//! # use candle_core::{DType, Device, Tensor};
//!
//! let model = VitClassifier::from_folder("vit-base-patch16-224", DType::F32, &Device::Cpu)?;
//!
//! let images = Tensor::zeros((1, 3, 224, 224), DType::F32, &Device::Cpu)?;
//! // What the class token reads in the last block: [batch, head, 197 tokens, 197 tokens].
//! let (logits, pattern) = model.capture(&images, |t| (t.output, t.vit.blocks.at(-1).attn.pattern))?;
//! # Ok::<(), candle_core::Error>(())
//! ```

mod names;
mod timm;

use std::collections::BTreeMap;

use candle_core::{Module, Result, Tensor};
use serde::Deserialize;
use serde_json::{Map, Value};
use taper::layers::{Conv2d, LayerNorm, Linear, conv2d, layer_norm, linear};
use taper::{Model, Weights, forward};

use crate::pretrained::Pretrained;
use crate::shared::vision::{Block, BlockConfig, block};
use crate::shared::{Activation, Patches, as_tokens, height_and_width, two_labels, with_class};

use names::with_our_names;

/// The part of Hugging Face's `config.json` that the forward pass depends on. timm's, which names the sizes, is read too.
#[derive(Clone, Debug, Deserialize)]
#[serde(remote = "Self")]
pub struct Config {
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
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
    /// Height and width of the images, in pixels.
    #[serde(deserialize_with = "height_and_width")]
    pub image_size: [usize; 2],
    /// The side of a patch, in pixels.
    pub patch_size: usize,
    /// The channels of the images.
    pub num_channels: usize,
    /// Whether queries, keys and values have biases.
    #[serde(default = "yes")]
    pub qkv_bias: bool,
    /// The function after the pooler's layer.
    #[serde(default = "tanh")]
    pub pooler_act: Activation,
    /// The width of what the pooler gives; that of the stream if absent.
    pub pooler_output_size: Option<usize>,
    /// The names of the classes by their numbers; two if absent.
    #[serde(default = "two_labels")]
    pub id2label: BTreeMap<usize, String>,
}

// Older files lack what had only one value then.
fn yes() -> bool {
    true
}
fn tanh() -> Activation {
    Activation::Tanh
}

impl Config {
    fn patches(&self) -> Patches {
        Patches { image: self.image_size, side: self.patch_size }
    }

    fn block(&self) -> BlockConfig {
        BlockConfig {
            width: self.hidden_size,
            inner: self.intermediate_size,
            heads: self.num_attention_heads,
            qkv_bias: self.qkv_bias,
            epsilon: self.layer_norm_eps,
            activation: self.hidden_act,
        }
    }
}

/// A layer and an activation over the class token.
#[derive(Clone, Debug, Model)]
#[model(config = Config)]
pub struct Pooler {
    /// Before the activation: [batch, channel].
    #[load(linear(cfg.hidden_size, cfg.pooler_output_size.unwrap_or(cfg.hidden_size)))]
    pub dense: Linear,
    /// The function after it.
    #[load(value = cfg.pooler_act)]
    pub activation: Activation,
}

#[forward]
impl Pooler {
    /// `x`: [batch, token, channel], to [batch, channel].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.activation.of(&self.dense.forward(&x.get_on_dim(1, 0)?)?)
    }
}

/// ViT without a classifier. Its output is the normalized stream after the last block.
#[derive(Clone, Debug, Model)]
#[model(config = Config)]
pub struct Vit {
    /// Of each patch by itself: [batch, channel, row, column].
    #[load(conv2d(cfg.num_channels, cfg.hidden_size, cfg.patch_size, cfg.patches().conv()))]
    #[prefix("embeddings.patch_embeddings.projection")]
    pub patch_embedding: Conv2d,
    /// The token before the patches: [1, 1, channel].
    #[load(tensor((1, 1, cfg.hidden_size)))]
    #[prefix("embeddings.cls_token")]
    pub class_token: Tensor,
    /// Added to the tokens: [1, token, channel].
    #[load(tensor((1, 1 + cfg.patches().count()?, cfg.hidden_size)))]
    #[prefix("embeddings.position_embeddings")]
    pub position_embedding: Tensor,
    /// The blocks, in order.
    #[load(each(cfg.num_hidden_layers, |_| block(&cfg.block())))]
    #[prefix("layers")]
    pub blocks: Vec<Block>,
    /// The normalized stream after the last block: [batch, token, channel].
    #[load(layer_norm(cfg.hidden_size, cfg.layer_norm_eps))]
    #[prefix("layernorm")]
    pub ln_f: LayerNorm,
    /// Of the class token, if the file has it.
    #[load(maybe(vb.contains_tensor("pooler.dense.weight")))]
    pub pooler: Option<Pooler>,
    /// What it is loaded by.
    #[load(value = cfg.clone())]
    pub config: Config,
}

#[forward]
impl Vit {
    /// `images`: [batch, channel, height, width] of the configuration's size, normalized as the weights want it; to [batch,
    /// token, channel], where the class token is the first and the patches follow row by row.
    pub fn forward(&self, images: &Tensor) -> Result<Tensor> {
        self.config.patches().check(images, self.config.num_channels)?;
        /// Row by row: [batch, patch, channel].
        #[tap]
        let patches = as_tokens(&self.patch_embedding.forward(images)?)?;
        let tokens = with_class(&self.class_token, &patches)?;
        /// The stream before the first block: [batch, token, channel].
        #[tap]
        let embed = tokens.broadcast_add(&self.position_embedding)?;
        let mut x = embed;
        for block in &self.blocks {
            x = block.forward(&x, None)?;
        }
        let x = self.ln_f.forward(&x)?;
        if let Some(pooler) = &self.pooler {
            // For who asks for its tap: the output of the whole is all tokens.
            pooler.forward(&x)?;
        }
        Ok(x)
    }
}

impl Vit {
    /// The same model for images of another height and width, in pixels: the positions are interpolated, as the original does
    /// with `interpolate_pos_encoding=True`. Everything else is shared with this.
    ///
    /// # Errors
    /// Images that are smaller than a patch.
    ///
    /// ```no_run
    /// # use candle_core::{DType, Device};
    /// # use taper_models::{Pretrained, vit::VitClassifier};
    /// let mut model = VitClassifier::from_folder("vit-base-patch16-224", DType::F32, &Device::Cpu)?;
    /// model.vit = model.vit.for_images([384, 512])?;
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    pub fn for_images(&self, size: [usize; 2]) -> Result<Self> {
        let positions = self.config.patches().positions_for(&self.position_embedding.squeeze(0)?, size)?;
        let config = Config { image_size: size, ..self.config.clone() };
        Ok(Self { position_embedding: positions.unsqueeze(0)?, config, ..self.clone() })
    }
}

/// ViT with a classifier of the class token.
#[derive(Clone, Debug, Model)]
#[model(config = Config)]
pub struct VitClassifier {
    /// All before the classifier.
    pub vit: Vit,
    /// The logits: [batch, class].
    #[load(linear(cfg.hidden_size, cfg.id2label.len()))]
    pub classifier: Linear,
}

#[forward]
impl VitClassifier {
    /// `images`: [batch, channel, height, width] of the configuration's size, normalized as the weights want it; to logits:
    /// [batch, class].
    pub fn forward(&self, images: &Tensor) -> Result<Tensor> {
        self.classifier.forward(&self.vit.forward(images)?.get_on_dim(1, 0)?)
    }
}

impl Pretrained for Vit {
    type Config = Config;
    const MODEL_TYPES: &'static [&'static str] = &["vit"];

    /// Names may be those of before and after version 5 of Hugging Face's library, and may begin with `vit.`; or those of
    /// timm's. A classifier may be there.
    fn from_weights(weights: Weights, config: &Config) -> Result<Self> {
        let weights = with_our_names(weights)?.with_or_without("vit");
        weights.allow_unused(|name| name.starts_with("classifier.")).load(|vb| Self::load(vb, config))
    }
}

impl Pretrained for VitClassifier {
    type Config = Config;
    const MODEL_TYPES: &'static [&'static str] = &["vit"];

    fn accepts(_: &Map<String, Value>, weights: &Weights) -> bool {
        weights.contains("classifier.weight") || weights.contains("head.weight")
    }

    /// Names may be those of before and after version 5 of Hugging Face's library, or those of timm's.
    fn from_weights(weights: Weights, config: &Config) -> Result<Self> {
        with_our_names(weights)?.load(|vb| Self::load(vb, config))
    }
}
