//! The sizes of MobileNetV2s that people have: torchvision's, Hugging Face's and timm's.

use std::collections::BTreeMap;

use candle_core::{Result, bail};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, from_value};

use crate::shared::{Activation, Timm, two_labels};

/// The sizes of a MobileNetV2: the arguments of torchvision's constructor, and its values where one is absent.
///
/// Read from a `config.json` with these fields, or from one of Hugging Face's `MobileNetV2Config` or
/// of timm's `mobilenetv2_100` and the like.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, remote = "Self")]
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
    /// The least number of channels; `round_nearest` if absent.
    pub min_channels: Option<usize>,
    /// Whether convolutions with a stride pad an image as TensorFlow does: an even side only at its end.
    pub tf_padding: bool,
    /// Whether numbers of channels are made whole before they are rounded, and those inside of blocks are rounded too, and the
    /// first block has no identity beside it, whatever its shape, as in Hugging Face's.
    pub hugging_face: bool,
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
            min_channels: None,
            tf_padding: false,
            hugging_face: false,
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
        let exact = if self.hugging_face { exact.round_ties_even() } else { exact };
        let rounded = ((exact + step as f64 / 2.0) as usize / step * step).max(self.min_channels.unwrap_or(step));
        Ok(if (rounded as f64) < 0.9 * exact { rounded + step } else { rounded })
    }

    pub(super) fn stem(&self) -> Result<ConvConfig> {
        let output = self.channels(32, self.width_mult)?;
        let (bn_eps, tf_padding) = (self.bn_eps, self.tf_padding);
        Ok(ConvConfig { input: 3, output, kernel: 3, stride: 2, groups: 1, bn_eps, tf_padding })
    }

    /// The blocks, in order.
    pub(super) fn blocks(&self) -> Result<Vec<BlockConfig>> {
        let mut input = self.stem()?.output;
        let mut blocks = Vec::new();
        for &[expansion, channels, len, first] in &self.inverted_residual_setting {
            if expansion == 0 || !(1..=2).contains(&first) {
                bail!("a block widens at least by 1, and its stride is 1 or 2; these are {expansion} and {first}");
            }
            let output = self.channels(channels, self.width_mult)?;
            for i in 0..len {
                let stride = if i == 0 { first } else { 1 };
                let inner = match expansion {
                    expansion @ 2.. if self.hugging_face => self.channels(input, expansion as f64)?,
                    expansion => input * expansion,
                };
                let residual = stride == 1 && input == output && !(self.hugging_face && blocks.is_empty());
                let (bn_eps, tf_padding) = (self.bn_eps, self.tf_padding);
                blocks.push(BlockConfig { input, inner, output, stride, residual, bn_eps, tf_padding });
                input = output;
            }
        }
        Ok(blocks)
    }

    pub(super) fn last(&self) -> Result<ConvConfig> {
        let input = self.blocks()?.last().map_or(self.stem()?.output, |block| block.output);
        let output = match self.last_channel {
            Some(channels) => channels,
            None => self.channels(1280, self.width_mult.max(1.0))?,
        };
        let (bn_eps, tf_padding) = (self.bn_eps, self.tf_padding);
        Ok(ConvConfig { input, output, kernel: 1, stride: 1, groups: 1, bn_eps, tf_padding })
    }
}

/// The sizes of a [`ConvBnRelu6`](super::ConvBnRelu6).
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
    /// Whether an image is padded as TensorFlow does.
    pub tf_padding: bool,
}

impl ConvConfig {
    /// Where there is no stride, TensorFlow pads alike at both sides.
    pub(super) fn pads_end(&self) -> bool {
        self.tf_padding && self.stride == 2
    }
}

/// The sizes of an [`InvertedResidual`](super::InvertedResidual).
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
    /// Whether the input is added.
    pub residual: bool,
    /// Added to the variance in every batch norm.
    pub bn_eps: f64,
    /// Whether an image is padded as TensorFlow does.
    pub tf_padding: bool,
}

impl BlockConfig {
    /// Whether the block has a first convolution, which widens.
    pub(super) fn expands(&self) -> bool {
        self.inner != self.input
    }

    pub(super) fn expand(&self) -> ConvConfig {
        let Self { input, inner: output, bn_eps, tf_padding, .. } = *self;
        ConvConfig { input, output, kernel: 1, stride: 1, groups: 1, bn_eps, tf_padding }
    }

    /// The name in the file of what comes so many steps after the widening.
    pub(super) fn step(&self, after: usize) -> usize {
        after + usize::from(self.expands())
    }

    pub(super) fn depthwise(&self) -> ConvConfig {
        let Self { inner, stride, bn_eps, tf_padding, .. } = *self;
        ConvConfig { input: inner, output: inner, kernel: 3, stride, groups: inner, bn_eps, tf_padding }
    }
}

/// The `config.json` of Hugging Face's `MobileNetV2Config`.
#[derive(Deserialize)]
struct HuggingFace {
    depth_multiplier: f64,
    #[serde(default = "eight")]
    depth_divisible_by: usize,
    #[serde(default = "eight")]
    min_depth: usize,
    #[serde(default = "six")]
    expand_ratio: f64,
    #[serde(default = "all")]
    output_stride: usize,
    #[serde(default = "yes")]
    first_layer_is_expansion: bool,
    #[serde(default = "yes")]
    finegrained_output: bool,
    #[serde(default = "yes")]
    tf_padding: bool,
    #[serde(default = "relu6")]
    hidden_act: Activation,
    #[serde(default = "three")]
    num_channels: usize,
    #[serde(default = "epsilon")]
    layer_norm_eps: f64,
    #[serde(default = "two_labels")]
    id2label: BTreeMap<usize, String>,
}

// Fields that are absent are what they are by default in the original's class.
fn eight() -> usize {
    8
}
fn six() -> f64 {
    6.0
}
fn all() -> usize {
    32
}
fn yes() -> bool {
    true
}
fn relu6() -> Activation {
    Activation::Relu6
}
fn three() -> usize {
    3
}
fn epsilon() -> f64 {
    1e-3
}

impl HuggingFace {
    fn config(self) -> Result<Config> {
        let refused = |field: &str, why: &str| bail!("field `{field}`: {why}");
        if self.output_stride < 32 {
            return refused("output_stride", "a last stage that is less than 32 times smaller is not supported");
        }
        if !self.first_layer_is_expansion {
            return refused("first_layer_is_expansion", "a first block that widens is not supported");
        }
        if self.hidden_act != Activation::Relu6 {
            return refused("hidden_act", "only `relu6` is supported, as torchvision has no other");
        }
        if self.num_channels != 3 {
            return refused("num_channels", "only images of 3 channels are supported");
        }
        if self.expand_ratio.fract() != 0.0 || self.expand_ratio < 2.0 {
            return refused("expand_ratio", "only whole numbers from 2 on are supported");
        }
        let mut config = Config {
            width_mult: self.depth_multiplier,
            round_nearest: self.depth_divisible_by,
            num_classes: self.id2label.len(),
            bn_eps: self.layer_norm_eps,
            min_channels: Some(self.min_depth),
            tf_padding: self.tf_padding,
            hugging_face: true,
            ..Config::default()
        };
        for [expansion, ..] in &mut config.inverted_residual_setting[1..] {
            *expansion = self.expand_ratio as usize;
        }
        let fine = self.finegrained_output && self.depth_multiplier < 1.0;
        config.last_channel = Some(if fine { 1280 } else { config.channels(1280, self.depth_multiplier)? });
        Ok(config)
    }
}

/// timm's channels are rounded as torchvision's are. Those with a `d` have more blocks.
fn config_of_timm(timm: Timm) -> Result<Config> {
    timm.check("avg")?;
    let width_mult = match timm.architecture.as_str() {
        "mobilenetv2_035" => 0.35,
        "mobilenetv2_050" => 0.5,
        "mobilenetv2_075" => 0.75,
        "mobilenetv2_100" => 1.0,
        "mobilenetv2_140" => 1.4,
        other => bail!("`architecture` is `{other}`; supported are `mobilenetv2_035`, `050`, `075`, `100` and `140`"),
    };
    Ok(Config { width_mult, num_classes: timm.num_classes, ..Config::default() })
}

/// Of Hugging Face's MobileNetV2, of timm's, or with the fields of this.
impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        match fields.contains_key("depth_multiplier") {
            true => from_value::<HuggingFace>(Value::Object(fields)).map(HuggingFace::config),
            false if fields.contains_key("architecture") => {
                from_value::<Timm>(Value::Object(fields)).map(config_of_timm)
            }
            false => Self::deserialize(Value::Object(fields)).map(Ok),
        }
        .map_err(D::Error::custom)?
        .map_err(D::Error::custom)
    }
}
