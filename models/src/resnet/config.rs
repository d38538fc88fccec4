//! The configurations of ResNets that people have: Hugging Face's, timm's, and plain sizes.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use candle_core::{Result, bail};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, from_value};

use super::{Block, Config};
use crate::shared::{Activation, two_labels};

/// The `config.json` of Hugging Face's `ResNetConfig`.
#[derive(Deserialize)]
struct HuggingFace {
    embedding_size: usize,
    hidden_sizes: [usize; 4],
    depths: [usize; 4],
    layer_type: String,
    #[serde(default = "relu")]
    hidden_act: Activation,
    #[serde(default)]
    downsample_in_first_stage: bool,
    #[serde(default)]
    downsample_in_bottleneck: bool,
    #[serde(default = "two_labels")]
    id2label: BTreeMap<usize, String>,
}

fn relu() -> Activation {
    Activation::Relu
}

/// The `config.json` of timm, which names the sizes.
#[derive(Deserialize)]
struct Timm {
    architecture: String,
    num_classes: usize,
}

/// The fields of [`Config`] themselves.
#[derive(Deserialize)]
struct Sizes {
    stem: usize,
    widths: [usize; 4],
    blocks: [usize; 4],
    num_classes: usize,
    #[serde(default = "epsilon")]
    bn_eps: f64,
}

fn epsilon() -> f64 {
    1e-5
}

/// Of Hugging Face's ResNet, of timm's, or with the fields of this.
impl<'de, B: Block> Deserialize<'de> for Config<B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        let has = |name| fields.contains_key(name);
        let (hugging_face, timm, fields) = (has("depths"), has("architecture"), Value::Object(fields));
        let config = match (hugging_face, timm) {
            (true, _) => from_value::<HuggingFace>(fields).map(HuggingFace::config),
            (_, true) => from_value::<Timm>(fields).map(Timm::config),
            _ => from_value::<Sizes>(fields).map(|sizes| Ok(sizes.config())),
        };
        config.map_err(D::Error::custom)?.map_err(D::Error::custom)
    }
}

impl HuggingFace {
    fn config<B: Block>(self) -> Result<Config<B>> {
        if self.downsample_in_first_stage || self.downsample_in_bottleneck {
            bail!(
                "`downsample_in_first_stage` and `downsample_in_bottleneck` are not supported, as torchvision has neither"
            );
        }
        if self.hidden_act != Activation::Relu {
            bail!("`hidden_act` is not `relu`, which is the only one that is supported, as torchvision has no other");
        }
        fits::<B>(&self.layer_type)?;
        if self.hidden_sizes.iter().any(|width| !width.is_multiple_of(B::EXPANSION)) {
            bail!("`hidden_sizes` are {:?}, which are no multiples of {}", self.hidden_sizes, B::EXPANSION);
        }
        Ok(Config {
            stem: self.embedding_size,
            widths: self.hidden_sizes.map(|width| width / B::EXPANSION),
            blocks: self.depths,
            num_classes: self.id2label.len(),
            ..Config::imagenet([1; 4])
        })
    }
}

impl Timm {
    fn config<B: Block>(self) -> Result<Config<B>> {
        let (layer_type, blocks) = match self.architecture.as_str() {
            "resnet18" => ("basic", [2, 2, 2, 2]),
            "resnet34" => ("basic", [3, 4, 6, 3]),
            "resnet50" => ("bottleneck", [3, 4, 6, 3]),
            "resnet101" => ("bottleneck", [3, 4, 23, 3]),
            "resnet152" => ("bottleneck", [3, 8, 36, 3]),
            other => bail!("`architecture` is `{other}`; supported are `resnet18`, `34`, `50`, `101` and `152`"),
        };
        fits::<B>(layer_type)?;
        Ok(Config { num_classes: self.num_classes, ..Config::imagenet(blocks) })
    }
}

impl Sizes {
    fn config<B: Block>(self) -> Config<B> {
        let Self { stem, widths, blocks, num_classes, bn_eps } = self;
        Config { stem, widths, blocks, num_classes, bn_eps, block: PhantomData }
    }
}

fn fits<B: Block>(layer_type: &str) -> Result<()> {
    if layer_type != B::LAYER_TYPE {
        bail!(
            "the blocks are `{layer_type}`, and those of the model `{}`: `ResNet<BasicBlock>` or `ResNet<Bottleneck>`",
            B::LAYER_TYPE
        );
    }
    Ok(())
}
