//! ResNet for images, numerically torchvision's in evaluation: ResNet-18 and 34 of [`BasicBlock`]s, ResNet-50, 101 and
//! 152 of [`Bottleneck`]s. After He et al., [Deep Residual Learning for Image
//! Recognition](https://arxiv.org/abs/1512.03385), with torchvision's change: the stride of a bottleneck is in its 3 × 3.
//!
//! ```no_run
//! use taper::Weights;
//! use taper_models::Pretrained;
//! use taper_models::resnet::{Config, ResNet};
//! # use candle_core::{DType, Device, Tensor};
//!
//! // `save_file(torchvision.models.resnet50(weights="DEFAULT").state_dict(), "resnet50.safetensors")` in Python.
//! let weights = Weights::safetensors(["resnet50.safetensors"], DType::F32, &Device::Cpu)?;
//! let model = ResNet::from_weights(weights, &Config::resnet50())?;
//!
//! let images = Tensor::zeros((1, 3, 224, 224), DType::F32, &Device::Cpu)?;
//! let (logits, last) = model.capture(&images, |t| (t.output, t.layer4.at(-1).output))?;
//! assert_eq!((logits.dims(), last.dims()), (&[1, 1000][..], &[1, 2048, 7, 7][..]));
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! Folders of Hugging Face's hub load too, by [`from_folder`](Pretrained::from_folder): those of its own ResNet, such as
//! `microsoft/resnet-50`, and those of timm's, such as `timm/resnet50.tv_in1k`, whose names are torchvision's.
//!
//! The batch norms use the running statistics, never those of the batch: the model is for looking inside and for
//! training with the norms fixed.

mod config;

use std::marker::PhantomData;

use candle_core::{Module, ModuleT, Result, Tensor, bail};
use candle_nn::{Conv2dConfig, VarBuilder};
use serde_json::{Map, Value};
use taper::layers::{BatchNorm, Conv2d, Linear, batch_norm, conv2d_no_bias, linear};
use taper::{Layer, Load, Model, Weights, forward};

use crate::pretrained::Pretrained;
use crate::shared::{max_pool, replaced};

/// The sizes of a ResNet of blocks `B`.
///
/// ```
/// use taper_models::resnet::Config;
///
/// let config = Config { num_classes: 10, ..Config::resnet18() };
/// assert_eq!(config.widths, [64, 128, 256, 512]);
/// ```
#[derive(Clone, Debug)]
pub struct Config<B> {
    /// The number of channels after the first convolution.
    pub stem: usize,
    /// The width of the blocks in each stage: what they give, divided by [`Block::EXPANSION`].
    pub widths: [usize; 4],
    /// The number of blocks in each stage, at least one.
    pub blocks: [usize; 4],
    /// By what the first block of each stage divides height and width.
    pub strides: [usize; 4],
    /// Whether that is done by the first convolution of a bottleneck, as in the paper, and not by the second.
    pub stride_first: bool,
    /// The number of logits.
    pub num_classes: usize,
    /// Added to the variance in every batch norm.
    pub bn_eps: f64,
    /// The kind of block.
    pub block: PhantomData<B>,
}

impl Config<BasicBlock> {
    /// torchvision's `resnet18`.
    pub fn resnet18() -> Self {
        Self::imagenet([2, 2, 2, 2])
    }

    /// torchvision's `resnet34`.
    pub fn resnet34() -> Self {
        Self::imagenet([3, 4, 6, 3])
    }
}

impl Config<Bottleneck> {
    /// torchvision's `resnet50`.
    pub fn resnet50() -> Self {
        Self::imagenet([3, 4, 6, 3])
    }

    /// torchvision's `resnet101`.
    pub fn resnet101() -> Self {
        Self::imagenet([3, 4, 23, 3])
    }

    /// torchvision's `resnet152`.
    pub fn resnet152() -> Self {
        Self::imagenet([3, 8, 36, 3])
    }
}

impl<B> Config<B> {
    fn imagenet(blocks: [usize; 4]) -> Self {
        let (widths, strides) = ([64, 128, 256, 512], [1, 2, 2, 2]);
        let (stride_first, num_classes, bn_eps) = (false, 1000, 1e-5);
        Self { stem: 64, widths, blocks, strides, stride_first, num_classes, bn_eps, block: PhantomData }
    }
}

impl<B: Block> Config<B> {
    /// The blocks of the stage `layer1` (0) to `layer4` (3). The first takes what the stage before gives.
    fn stage(&self, stage: usize, vb: VarBuilder) -> Result<Vec<B>> {
        let (len, width, stride) = (self.blocks[stage], self.widths[stage], self.strides[stage]);
        if len == 0 {
            bail!("`layer{}` has no blocks; give it at least one", stage + 1);
        }
        let output = width * B::EXPANSION;
        let before = if stage == 0 { self.stem } else { self.widths[stage - 1] * B::EXPANSION };
        let first =
            BlockConfig { input: before, width, output, stride, stride_first: self.stride_first, bn_eps: self.bn_eps };
        let others = BlockConfig { input: output, stride: 1, ..first };
        (0..len).map(|i| B::load(vb.pp(i), if i == 0 { &first } else { &others })).collect()
    }
}

/// The sizes of one block.
#[derive(Clone, Copy, Debug)]
pub struct BlockConfig {
    /// Channels that it takes.
    pub input: usize,
    /// Channels of its 3 × 3 convolutions.
    pub width: usize,
    /// Channels that it gives.
    pub output: usize,
    /// By what it divides height and width.
    pub stride: usize,
    /// Whether a bottleneck does so by its first convolution, and not by the second.
    pub stride_first: bool,
    /// Added to the variance in every batch norm.
    pub bn_eps: f64,
}

impl BlockConfig {
    /// Whether what the block gives has another shape than what it takes, so that the two cannot be added.
    fn reshapes(&self) -> bool {
        self.stride != 1 || self.input != self.output
    }

    /// The strides of the first two convolutions of a bottleneck.
    fn strides(&self) -> [usize; 2] {
        if self.stride_first { [self.stride, 1] } else { [1, self.stride] }
    }
}

/// What a ResNet is made of: [`BasicBlock`] or [`Bottleneck`].
pub trait Block: Layer + for<'vb> Load<VarBuilder<'vb>, BlockConfig> {
    /// How many times its width a block gives.
    const EXPANSION: usize;

    /// Hugging Face's name of the kind, the `layer_type` of its configurations.
    const LAYER_TYPE: &'static str;
}

impl Block for BasicBlock {
    const EXPANSION: usize = 1;
    const LAYER_TYPE: &'static str = "basic";
}

impl Block for Bottleneck {
    const EXPANSION: usize = 4;
    const LAYER_TYPE: &'static str = "bottleneck";
}

/// Makes a block's input of the shape of its output.
#[derive(Clone, Debug, Model)]
#[model(config = BlockConfig)]
pub struct Downsample {
    /// A 1 × 1 convolution: [batch, output channel, height, width].
    #[load(conv(cfg.input, cfg.output, 1, cfg.stride))]
    #[prefix("0")]
    pub conv: Conv2d,
    /// The same, normalized.
    #[load(batch_norm(cfg.output, cfg.bn_eps))]
    #[prefix("1")]
    pub bn: BatchNorm,
}

#[forward]
impl Downsample {
    /// `x`: [batch, channel, height, width], to [batch, output channel, height / stride, width / stride].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.bn.forward_t(&self.conv.forward(x)?, false)
    }
}

/// Two 3 × 3 convolutions beside the identity: the block of ResNet-18 and 34.
#[derive(Clone, Debug, Model)]
#[model(config = BlockConfig)]
pub struct BasicBlock {
    /// 3 × 3, with the block's stride: [batch, width, height, width].
    #[load(conv(cfg.input, cfg.width, 3, cfg.stride))]
    pub conv1: Conv2d,
    /// The same, normalized.
    #[load(batch_norm(cfg.width, cfg.bn_eps))]
    pub bn1: BatchNorm,
    /// 3 × 3: [batch, channel, height, width].
    #[load(conv(cfg.width, cfg.output, 3, 1))]
    pub conv2: Conv2d,
    /// The same, normalized: what the block adds.
    #[load(batch_norm(cfg.output, cfg.bn_eps))]
    pub bn2: BatchNorm,
    /// Of the input, where its shape is not that of the output.
    #[load(maybe(cfg.reshapes()))]
    pub downsample: Option<Downsample>,
}

#[forward]
impl BasicBlock {
    /// `x`: [batch, input channel, height, width], to [batch, channel, height / stride, width / stride].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        /// After the first norm and ReLU.
        #[tap]
        let relu1 = self.bn1.forward_t(&self.conv1.forward(x)?, false)?.relu()?;
        let added = self.bn2.forward_t(&self.conv2.forward(&relu1)?, false)?;
        let identity = match &self.downsample {
            Some(downsample) => downsample.forward(x)?,
            None => x.clone(),
        };
        /// The input, downsampled if need be, and what is added to it: the output before its ReLU.
        #[tap]
        let sum = (added + identity)?;
        sum.relu()
    }
}

/// A 3 × 3 convolution between two 1 × 1, beside the identity: the block of ResNet-50, 101 and 152.
#[derive(Clone, Debug, Model)]
#[model(config = BlockConfig)]
pub struct Bottleneck {
    /// 1 × 1, to the block's width: [batch, width, height, width].
    #[load(conv(cfg.input, cfg.width, 1, cfg.strides()[0]))]
    pub conv1: Conv2d,
    /// The same, normalized.
    #[load(batch_norm(cfg.width, cfg.bn_eps))]
    pub bn1: BatchNorm,
    /// 3 × 3, with the block's stride.
    #[load(conv(cfg.width, cfg.width, 3, cfg.strides()[1]))]
    pub conv2: Conv2d,
    /// The same, normalized.
    #[load(batch_norm(cfg.width, cfg.bn_eps))]
    pub bn2: BatchNorm,
    /// 1 × 1, to four times the width: [batch, channel, height, width].
    #[load(conv(cfg.width, cfg.output, 1, 1))]
    pub conv3: Conv2d,
    /// The same, normalized: what the block adds.
    #[load(batch_norm(cfg.output, cfg.bn_eps))]
    pub bn3: BatchNorm,
    /// Of the input, where its shape is not that of the output.
    #[load(maybe(cfg.reshapes()))]
    pub downsample: Option<Downsample>,
}

#[forward]
impl Bottleneck {
    /// `x`: [batch, input channel, height, width], to [batch, channel, height / stride, width / stride].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        /// After the first norm and ReLU.
        #[tap]
        let relu1 = self.bn1.forward_t(&self.conv1.forward(x)?, false)?.relu()?;
        /// After the second norm and ReLU.
        #[tap]
        let relu2 = self.bn2.forward_t(&self.conv2.forward(&relu1)?, false)?.relu()?;
        let added = self.bn3.forward_t(&self.conv3.forward(&relu2)?, false)?;
        let identity = match &self.downsample {
            Some(downsample) => downsample.forward(x)?,
            None => x.clone(),
        };
        /// The input, downsampled if need be, and what is added to it: the output before its ReLU.
        #[tap]
        let sum = (added + identity)?;
        sum.relu()
    }
}

/// ResNet with its classifier. The names in its files are torchvision's.
#[derive(Clone, Debug, Model)]
#[model(config = Config<B>)]
pub struct ResNet<B: Block> {
    /// 7 × 7, stride 2: [batch, channel, height / 2, width / 2].
    #[load(conv(3, cfg.stem, 7, 2))]
    pub conv1: Conv2d,
    /// The same, normalized.
    #[load(batch_norm(cfg.stem, cfg.bn_eps))]
    pub bn1: BatchNorm,
    /// The first stage. The last block's output is [batch, channel, height / 4, width / 4].
    #[load(Config::stage(cfg, 0))]
    pub layer1: Vec<B>,
    /// The second stage, to [batch, channel, height / 8, width / 8].
    #[load(Config::stage(cfg, 1))]
    pub layer2: Vec<B>,
    /// The third stage, to [batch, channel, height / 16, width / 16].
    #[load(Config::stage(cfg, 2))]
    pub layer3: Vec<B>,
    /// The fourth stage, to [batch, channel, height / 32, width / 32].
    #[load(Config::stage(cfg, 3))]
    pub layer4: Vec<B>,
    /// The logits: [batch, class].
    #[load(linear(cfg.widths[3] * B::EXPANSION, cfg.num_classes))]
    pub fc: Linear,
}

#[forward]
impl<B: Block> ResNet<B> {
    /// `images`: [batch, 3, height, width], normalized as the weights want it, to logits: [batch, class]. Where a stage
    /// halves an odd height or width, it rounds up.
    pub fn forward(&self, images: &Tensor) -> Result<Tensor> {
        /// After the first norm and ReLU: [batch, channel, height / 2, width / 2].
        #[tap]
        let relu = self.bn1.forward_t(&self.conv1.forward(images)?, false)?.relu()?;
        /// What the first stage reads: [batch, channel, height / 4, width / 4].
        #[tap]
        let maxpool = max_pool(&relu)?;
        let mut x = maxpool;
        for block in &self.layer1 {
            x = block.forward(&x)?;
        }
        for block in &self.layer2 {
            x = block.forward(&x)?;
        }
        for block in &self.layer3 {
            x = block.forward(&x)?;
        }
        for block in &self.layer4 {
            x = block.forward(&x)?;
        }
        /// The mean over the image: [batch, channel, 1, 1].
        #[tap]
        let avgpool = x.mean_keepdim((2, 3))?;
        self.fc.forward(&avgpool.flatten_from(1)?)
    }
}

impl<B: Block> Pretrained for ResNet<B> {
    type Config = Config<B>;
    const MODEL_TYPES: &'static [&'static str] = &["resnet"];

    fn accepts(config: &Map<String, Value>, _: &Weights) -> bool {
        config::layer_type(config) == Some(B::LAYER_TYPE)
    }

    /// Names may be torchvision's or those of Hugging Face's ResNet.
    fn from_weights(weights: Weights, config: &Config<B>) -> Result<Self> {
        weights.renamed(torchvision_name)?.load(|vb| Self::load(vb, config))
    }
}

/// A name in a file of Hugging Face's, as torchvision has it.
fn torchvision_name(name: &str) -> String {
    const NAMES: &[(&str, &str)] = &[
        ("resnet.", ""),
        ("embedder.embedder.convolution.", "conv1."),
        ("embedder.embedder.normalization.", "bn1."),
        ("encoder.stages.0.layers.", "layer1."),
        ("encoder.stages.1.layers.", "layer2."),
        ("encoder.stages.2.layers.", "layer3."),
        ("encoder.stages.3.layers.", "layer4."),
        (".layer.0.convolution.", ".conv1."),
        (".layer.0.normalization.", ".bn1."),
        (".layer.1.convolution.", ".conv2."),
        (".layer.1.normalization.", ".bn2."),
        (".layer.2.convolution.", ".conv3."),
        (".layer.2.normalization.", ".bn3."),
        (".shortcut.convolution.", ".downsample.0."),
        (".shortcut.normalization.", ".downsample.1."),
        ("classifier.1.", "fc."),
    ];
    replaced(name, NAMES)
}

/// A square convolution, padded so that only its stride makes the image smaller. A batch norm has the bias.
fn conv(input: usize, output: usize, kernel: usize, stride: usize, vb: VarBuilder) -> Result<Conv2d> {
    conv2d_no_bias(input, output, kernel, Conv2dConfig { padding: kernel / 2, stride, ..Conv2dConfig::default() }, vb)
}

#[cfg(test)]
mod tests;
