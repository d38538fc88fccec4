//! MobileNetV2 for images, numerically torchvision's in evaluation. After Sandler et al., [MobileNetV2: Inverted Residuals
//! and Linear Bottlenecks](https://arxiv.org/abs/1801.04381).
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
//! The batch norms use the running statistics, never those of the batch: the model is for looking inside and for training
//! with the norms fixed.

use candle_core::{Module, ModuleT, Result, Tensor, bail};
use candle_nn::{Conv2dConfig, VarBuilder};
use serde::Deserialize;
use taper::layers::{BatchNorm, Conv2d, Linear, batch_norm, conv2d_no_bias, linear};
use taper::{Model, Weights, forward};

use crate::pretrained::Pretrained;

/// The sizes of a MobileNetV2: the arguments of torchvision's constructor, and its values where one is absent.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Config {
    /// What numbers of channels are multiplied by.
    pub width_mult: f64,
    /// What numbers of channels are rounded to a multiple of.
    pub round_nearest: usize,
    /// Of each stage: by what its blocks widen, the channels that they give, how many they are, and the stride of the first.
    pub inverted_residual_setting: Vec<[usize; 4]>,
    /// The channels of the last convolution; 1280, and more if `width_mult` is above 1, if absent.
    pub last_channel: Option<usize>,
    /// The number of logits.
    pub num_classes: usize,
    /// Added to the variance in every batch norm.
    pub bn_eps: f64,
}

impl Default for Config {
    /// torchvision's `mobilenet_v2`.
    fn default() -> Self {
        Self {
            width_mult: 1.0,
            round_nearest: 8,
            inverted_residual_setting: vec![
                [1, 16, 1, 1],
                [6, 24, 2, 2],
                [6, 32, 3, 2],
                [6, 64, 4, 2],
                [6, 96, 3, 1],
                [6, 160, 3, 2],
                [6, 320, 1, 1],
            ],
            last_channel: None,
            num_classes: 1000,
            bn_eps: 1e-5,
        }
    }
}

impl Config {
    /// `channels` multiplied by `width`, rounded to a multiple of `round_nearest`, but never down by more than a tenth.
    fn channels(&self, channels: usize, width: f64) -> Result<usize> {
        let (exact, step) = (channels as f64 * width, self.round_nearest);
        if step == 0 || exact.is_nan() || exact <= 0.0 {
            bail!("{channels} channels times {width}, in steps of {step}, are none; give numbers above 0");
        }
        let rounded = ((exact + step as f64 / 2.0) as usize / step * step).max(step);
        Ok(if (rounded as f64) < 0.9 * exact { rounded + step } else { rounded })
    }

    fn stem(&self) -> Result<ConvConfig> {
        let output = self.channels(32, self.width_mult)?;
        Ok(ConvConfig { input: 3, output, kernel: 3, stride: 2, groups: 1, bn_eps: self.bn_eps })
    }

    /// The blocks, in order.
    fn blocks(&self) -> Result<Vec<BlockConfig>> {
        let (mut input, bn_eps) = (self.stem()?.output, self.bn_eps);
        let mut blocks = Vec::new();
        for &[expansion, channels, len, first] in &self.inverted_residual_setting {
            if expansion == 0 || !(1..=2).contains(&first) {
                bail!("a block widens at least by 1, and its stride is 1 or 2; these are {expansion} and {first}");
            }
            let output = self.channels(channels, self.width_mult)?;
            for i in 0..len {
                let stride = if i == 0 { first } else { 1 };
                blocks.push(BlockConfig { input, inner: input * expansion, output, stride, bn_eps });
                input = output;
            }
        }
        Ok(blocks)
    }

    fn last(&self) -> Result<ConvConfig> {
        let input = self.blocks()?.last().map_or(self.stem()?.output, |block| block.output);
        let output = match self.last_channel {
            Some(channels) => channels,
            None => self.channels(1280, self.width_mult.max(1.0))?,
        };
        Ok(ConvConfig { input, output, kernel: 1, stride: 1, groups: 1, bn_eps: self.bn_eps })
    }
}

/// The sizes of a [`ConvBnRelu6`].
#[derive(Clone, Copy, Debug)]
pub struct ConvConfig {
    /// Channels that it takes.
    pub input: usize,
    /// Channels that it gives.
    pub output: usize,
    /// The side of the kernel.
    pub kernel: usize,
    /// By what it divides height and width, which it rounds up.
    pub stride: usize,
    /// Into how many groups of channels, that do not read each other, the channels are divided.
    pub groups: usize,
    /// Added to the variance in the batch norm.
    pub bn_eps: f64,
}

/// The sizes of an [`InvertedResidual`].
#[derive(Clone, Copy, Debug)]
pub struct BlockConfig {
    /// Channels that it takes.
    pub input: usize,
    /// Channels inside.
    pub inner: usize,
    /// Channels that it gives.
    pub output: usize,
    /// By what it divides height and width, which it rounds up.
    pub stride: usize,
    /// Added to the variance in every batch norm.
    pub bn_eps: f64,
}

impl BlockConfig {
    /// Whether the block has a first convolution, which widens.
    fn expands(&self) -> bool {
        self.inner != self.input
    }

    fn expand(&self) -> ConvConfig {
        let Self { input, inner: output, bn_eps, .. } = *self;
        ConvConfig { input, output, kernel: 1, stride: 1, groups: 1, bn_eps }
    }

    /// The name in the file of what comes so many steps after the widening.
    fn step(&self, after: usize) -> usize {
        after + usize::from(self.expands())
    }

    fn depthwise(&self) -> ConvConfig {
        let Self { inner, stride, bn_eps, .. } = *self;
        ConvConfig { input: inner, output: inner, kernel: 3, stride, groups: inner, bn_eps }
    }
}

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
}

#[forward]
impl ConvBnRelu6 {
    /// `x`: [batch, channel, height, width], to [batch, output channel, height / stride, width / stride].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.bn.forward_t(&self.conv.forward(x)?, false)?.clamp(0f64, 6f64)
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
    #[load(value = cfg.stride == 1 && cfg.input == cfg.output)]
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
    const MODEL_TYPES: &'static [&'static str] = &[];

    fn from_weights(weights: Weights, config: &Config) -> Result<Self> {
        weights.load(|vb| Self::load(vb, config))
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
    let config = Conv2dConfig { padding: kernel / 2, stride, groups, ..Conv2dConfig::default() };
    conv2d_no_bias(input, output, kernel, config, vb)
}
