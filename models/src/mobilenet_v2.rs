//! MobileNetV2 for images, numerically torchvision's, timm's and Hugging Face's `MobileNetV2ForImageClassification` in
//! evaluation. After Sandler et al., [MobileNetV2: Inverted Residuals and Linear
//! Bottlenecks](https://arxiv.org/abs/1801.04381).
//!
//! ```no_run
//! use taper::Weights;
//! use taper_models::mobilenet_v2::{Config, MobileNetV2};
//! use taper_models::Pretrained;
//! # use candle_core::{DType, Device, Tensor};
//!
//! // `save_file(torchvision.models.mobilenet_v2(weights="DEFAULT").state_dict(), "mobilenet_v2.safetensors")` in Python.
//! let weights = Weights::safetensors(["mobilenet_v2.safetensors"], DType::F32, &Device::Cpu)?;
//! let model = MobileNetV2::from_weights(weights, &Config::default())?;
//!
//! let images = Tensor::zeros((1, 3, 224, 224), DType::F32, &Device::Cpu)?;
//! let (logits, last) = model.capture(&images, |t| (t.output, t.last.output))?;
//! assert_eq!((logits.dims(), last.dims()), (&[1, 1000][..], &[1, 1280, 7, 7][..]));
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! Folders of Hugging Face's hub load too, by [`from_folder`](Pretrained::from_folder): those of its own MobileNetV2, such
//! as `google/mobilenet_v2_1.0_224`, and those of timm's, such as `timm/mobilenetv2_100.ra_in1k`.
//!
//! The batch norms use the running statistics, never those of the batch: the model is for looking inside and for training
//! with the norms fixed.

mod config;
mod names;

use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::{Conv2dConfig, VarBuilder};
use taper::layers::{BatchNorm, Conv2d, Linear, batch_norm, conv2d_no_bias, linear};
use taper::{Model, Weights, forward};

use crate::pretrained::Pretrained;

pub use config::{BlockConfig, Config, ConvConfig};

/// A convolution, a batch norm and the ReLU that ends at 6.
#[derive(Clone, Debug, Model)]
#[model(config = ConvConfig)]
pub struct ConvBnRelu6 {
    /// [batch, output channel, height / stride, width / stride]
    #[load(conv(cfg))]
    #[prefix("0")]
    pub conv: Conv2d,
    /// The same, normalized.
    #[load(batch_norm(cfg.output, cfg.bn_eps))]
    #[prefix("1")]
    pub bn: BatchNorm,
    /// Whether an image is padded as TensorFlow does, more at its end, and not alike at both sides.
    #[load(value = cfg.pads_end())]
    pub pads_end: bool,
}

#[forward]
impl ConvBnRelu6 {
    /// `x`: [batch, channel, height, width], to [batch, output channel, height / stride, width / stride].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let padded = if self.pads_end { padded_as_in_tensorflow(x)? } else { x.clone() };
        self.bn.forward_t(&self.conv.forward(&padded)?, false)?.clamp(0f64, 6f64)
    }
}

/// Channels are made more, read in space each by itself, and made few again without an activation; beside the identity
/// where the shape stays.
#[derive(Clone, Debug, Model)]
#[model(config = BlockConfig)]
pub struct InvertedResidual {
    /// 1 × 1, to the channels inside, if these are more.
    #[load(maybe(cfg.expands(), config = &cfg.expand()))]
    #[prefix("0")]
    pub expand: Option<ConvBnRelu6>,
    /// 3 × 3, each channel by itself, with the block's stride.
    #[load(expr = ConvBnRelu6::load(vb.pp(cfg.step(0)), &cfg.depthwise())?)]
    pub depthwise: ConvBnRelu6,
    /// 1 × 1: [batch, channel, height, width].
    #[load(expr = conv2d_no_bias(cfg.inner, cfg.output, 1, Conv2dConfig::default(), vb.pp(cfg.step(1)))?)]
    pub project: Conv2d,
    /// The same, normalized: what the block adds, or gives where its shape is another.
    #[load(expr = batch_norm(cfg.output, cfg.bn_eps, vb.pp(cfg.step(2)))?)]
    pub bn: BatchNorm,
    /// Whether the input is added.
    #[load(value = cfg.residual)]
    pub residual: bool,
}

#[forward]
impl InvertedResidual {
    /// `x`: [batch, input channel, height, width], to [batch, channel, height / stride, width / stride].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let wide = match &self.expand {
            Some(expand) => expand.forward(x)?,
            None => x.clone(),
        };
        let y = self.bn.forward_t(&self.project.forward(&self.depthwise.forward(&wide)?)?, false)?;
        if self.residual { x + y } else { Ok(y) }
    }
}

/// MobileNetV2 with its classifier. The names in its files are torchvision's.
#[derive(Clone, Debug, Model)]
#[model(config = Config)]
pub struct MobileNetV2 {
    /// 3 × 3, stride 2: [batch, channel, height / 2, width / 2].
    #[load(config = &cfg.stem()?)]
    #[prefix("features.0")]
    pub stem: ConvBnRelu6,
    /// The blocks of all stages, in order.
    #[load(blocks(&cfg.blocks()?))]
    #[prefix("features")]
    pub blocks: Vec<InvertedResidual>,
    /// 1 × 1: [batch, channel, height, width].
    #[load(expr = ConvBnRelu6::load(vb.pp("features").pp(1 + blocks.len()), &cfg.last()?)?)]
    pub last: ConvBnRelu6,
    /// The logits: [batch, class].
    #[load(linear(cfg.last()?.output, cfg.num_classes))]
    #[prefix("classifier.1")]
    pub classifier: Linear,
}

#[forward]
impl MobileNetV2 {
    /// `images`: [batch, 3, height, width], normalized as the weights want it, to logits: [batch, class].
    pub fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let mut x = self.stem.forward(images)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        /// The mean over the image: [batch, channel].
        #[tap]
        let pooled = self.last.forward(&x)?.mean((2, 3))?;
        self.classifier.forward(&pooled)
    }
}

impl Pretrained for MobileNetV2 {
    type Config = Config;
    const MODEL_TYPES: &'static [&'static str] = &["mobilenet_v2"];

    /// Names may be torchvision's, or those of Hugging Face's MobileNetV2 or of timm's.
    fn from_weights(weights: Weights, config: &Config) -> Result<Self> {
        let blocks = config.blocks()?;
        let renamed = if weights.contains("conv_stem.weight") {
            let stages: Vec<usize> = config.inverted_residual_setting.iter().map(|[_, _, len, _]| *len).collect();
            weights.renamed(|name| names::of_timm(name, &stages, &blocks))?
        } else {
            weights.renamed(|name| names::of_hugging_face(name, 1 + blocks.len()))?
        };
        renamed.load(|vb| Self::load(vb, config))
    }
}

/// The blocks, which are counted from 1 in the file.
fn blocks(configs: &[BlockConfig], vb: VarBuilder) -> Result<Vec<InvertedResidual>> {
    let block = |(i, config)| InvertedResidual::load(vb.pp(1 + i).pp("conv"), config);
    configs.iter().enumerate().map(block).collect()
}

/// A square convolution, padded so that only its stride makes the image smaller. A batch norm has the bias.
fn conv(config: &ConvConfig, vb: VarBuilder) -> Result<Conv2d> {
    let ConvConfig { input, output, kernel, stride, groups, .. } = *config;
    let padding = if config.pads_end() { 0 } else { kernel / 2 };
    let config = Conv2dConfig { padding, stride, groups, ..Conv2dConfig::default() };
    conv2d_no_bias(input, output, kernel, config, vb)
}

/// As TensorFlow pads for a kernel of 3 × 3 with stride 2, `SAME`: an even side only at its end, an odd one at both.
fn padded_as_in_tensorflow(x: &Tensor) -> Result<Tensor> {
    let before = |dim| Ok::<_, candle_core::Error>(x.dim(dim)? % 2);
    x.pad_with_zeros(2, before(2)?, 1)?.pad_with_zeros(3, before(3)?, 1)
}
