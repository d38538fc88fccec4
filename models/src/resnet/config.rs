//! The configurations of ResNets that people have: Hugging Face's, timm's, and plain sizes.

use std::collections::BTreeMap;

use candle_core::{Result, bail};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, from_value};

use super::{Block, Config};
use crate::shared::{Activation, Timm, two_labels};

/// The kind of the blocks, as Hugging Face calls it: what its configuration says, or timm's name of the sizes. None of plain
/// sizes, which are of either kind.
pub(super) fn layer_type(fields: &Map<String, Value>) -> Option<&str> {
    let text = |field| fields.get(field).and_then(Value::as_str);
    match text("architecture") {
        Some("resnet18" | "resnet34") => Some("basic"),
        Some(_) => Some("bottleneck"),
        None => text("layer_type").or(fields.contains_key("depths").then_some("bottleneck")),
    }
}

/// Of Hugging Face's ResNet, of timm's, or with the fields of this.
impl<'de, B: Block> Deserialize<'de> for Config<B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        let (has, own) = (|field| fields.contains_key(field), B::LAYER_TYPE);
        let (hugging_face, timm, kind) = (has("depths"), has("architecture"), layer_type(&fields).unwrap_or(own));
        if kind != own {
            let types = "`ResNet<BasicBlock>` or `ResNet<Bottleneck>`";
            return Err(D::Error::custom(format!("the blocks are `{kind}`, and those of the model `{own}`: {types}")));
        }
        let fields = Value::Object(fields);
        let config = match (hugging_face, timm) {
            (true, _) => from_value::<HuggingFace>(fields).map(HuggingFace::config),
            (_, true) => from_value::<Timm>(fields).map(config_of_timm),
            _ => from_value::<Sizes>(fields).map(|sizes| Ok(sizes.config())),
        };
        config.map_err(D::Error::custom)?.map_err(D::Error::custom)
    }
}

/// The `config.json` of Hugging Face's `ResNetConfig`.
#[derive(Deserialize)]
struct HuggingFace {
    embedding_size: usize,
    hidden_sizes: [usize; 4],
    depths: [usize; 4],
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

impl HuggingFace {
    fn config<B: Block>(self) -> Result<Config<B>> {
        if self.hidden_act != Activation::Relu {
            bail!("`hidden_act` is not `relu`, which is the only one that is supported, as torchvision has no other");
        }
        if self.hidden_sizes.iter().any(|width| !width.is_multiple_of(B::EXPANSION)) {
            bail!("`hidden_sizes` are {:?}, which are no multiples of {}", self.hidden_sizes, B::EXPANSION);
        }
        Ok(Config {
            stem: self.embedding_size,
            widths: self.hidden_sizes.map(|width| width / B::EXPANSION),
            strides: [1 + usize::from(self.downsample_in_first_stage), 2, 2, 2],
            stride_first: self.downsample_in_bottleneck,
            num_classes: self.id2label.len(),
            ..Config::imagenet(self.depths)
        })
    }
}

fn config_of_timm<B: Block>(timm: Timm) -> Result<Config<B>> {
    timm.check("avg")?;
    let blocks = match timm.architecture.as_str() {
        "resnet18" => [2, 2, 2, 2],
        "resnet34" | "resnet50" => [3, 4, 6, 3],
        "resnet101" => [3, 4, 23, 3],
        "resnet152" => [3, 8, 36, 3],
        other => bail!("`architecture` is `{other}`; supported are `resnet18`, `34`, `50`, `101` and `152`"),
    };
    Ok(Config { num_classes: timm.num_classes, ..Config::imagenet(blocks) })
}

/// The sizes of [`Config`] themselves.
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

impl Sizes {
    fn config<B: Block>(self) -> Config<B> {
        let Self { stem, widths, blocks, num_classes, bn_eps } = self;
        Config { stem, widths, num_classes, bn_eps, ..Config::imagenet(blocks) }
    }
}
