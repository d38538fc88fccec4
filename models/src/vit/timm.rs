//! The configuration of timm's ViTs, whose names say their sizes.

use candle_core::{Result, bail};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, from_value};

use super::Config;
use crate::shared::{Activation, Timm};

/// Of Hugging Face's ViT, or of timm's.
impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let fields = Map::deserialize(deserializer)?;
        match fields.contains_key("architecture") {
            true => from_value::<Timm>(Value::Object(fields)).map(Config::of_timm),
            false => Self::deserialize(Value::Object(fields)).map(Ok),
        }
        .map_err(D::Error::custom)?
        .map_err(D::Error::custom)
    }
}

impl Config {
    /// The sizes that are in a name of timm's, `vit_base_patch16_224`.
    fn of_timm(timm: Timm) -> Result<Self> {
        let name = &timm.architecture;
        let sizes = || {
            let mut parts = name.strip_prefix("vit_")?.split('_');
            let sizes = match parts.next()? {
                "tiny" => [192, 12, 3],
                "small" => [384, 12, 6],
                "base" => [768, 12, 12],
                "large" => [1024, 24, 16],
                "huge" => [1280, 32, 16],
                _ => return None,
            };
            let patch = parts.next()?.strip_prefix("patch")?.parse::<usize>().ok()?;
            let image = parts.next()?.parse::<usize>().ok()?;
            parts.next().is_none().then_some((sizes, patch, image))
        };
        let Some(([hidden_size, num_hidden_layers, num_attention_heads], patch_size, image)) = sizes() else {
            bail!(
                "`architecture` is `{name}`; of timm's ViTs those are supported that are called as `vit_base_patch16_224` \
                 is: `tiny`, `small`, `base`, `large` or `huge`, a patch and a size of the images"
            );
        };
        let [num_channels, height, width] = timm.images("token", image)?;
        Ok(Self {
            hidden_size,
            num_hidden_layers,
            num_attention_heads,
            intermediate_size: 4 * hidden_size,
            hidden_act: Activation::Gelu,
            layer_norm_eps: 1e-6,
            image_size: [height, width],
            patch_size,
            num_channels,
            qkv_bias: true,
            pooler_act: Activation::Tanh,
            pooler_output_size: None,
            id2label: (0..timm.num_classes).map(|class| (class, format!("LABEL_{class}"))).collect(),
        })
    }
}
