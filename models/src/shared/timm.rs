use candle_core::{Result, bail};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::height_and_width;

/// The `config.json` of timm, which names the sizes.
#[derive(Deserialize)]
pub(crate) struct Timm {
    /// The name of its constructor.
    pub(crate) architecture: String,
    /// The number of logits.
    pub(crate) num_classes: usize,
    /// What the constructor is called with.
    #[serde(default)]
    model_args: Arguments,
    /// What it is called with if nothing is said.
    #[serde(default)]
    pretrained_cfg: Defaults,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Arguments {
    num_classes: Option<usize>,
    in_chans: Option<usize>,
    img_size: Option<Size>,
    global_pool: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Defaults {
    /// Channels, height and width.
    input_size: Option<[usize; 3]>,
    global_pool: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
struct Size(#[serde(deserialize_with = "height_and_width")] [usize; 2]);

impl Timm {
    /// Channels, height and width of the images, of a model that pools by `pool`; squares of the side `usual` if nothing is
    /// said.
    ///
    /// # Errors
    /// Arguments that may change what is computed but not the weights, so that nothing would be noticed.
    pub(crate) fn images(&self, pool: &str, usual: usize) -> Result<[usize; 3]> {
        let Arguments { num_classes, in_chans, img_size, global_pool, rest } = &self.model_args;
        // Nothing is dropped in evaluation.
        if let Some((name, value)) = rest.iter().find(|(name, value)| !value.is_null() && !name.contains("drop")) {
            bail!("field `model_args.{name}` is {value}: this argument of timm's is not supported");
        }
        if num_classes.is_some_and(|classes| classes != self.num_classes) {
            bail!("field `num_classes` is {}, and {num_classes:?} in `model_args`", self.num_classes);
        }
        match global_pool.as_ref().or(self.pretrained_cfg.global_pool.as_ref()) {
            Some(other) if other != pool => bail!("field `global_pool` is `{other}`; only `{pool}` is supported"),
            _ => (),
        }
        let [channels, height, width] = self.pretrained_cfg.input_size.unwrap_or([3, usual, usual]);
        let [height, width] = img_size.map_or([height, width], |Size(sides)| sides);
        Ok([in_chans.unwrap_or(channels), height, width])
    }

    /// The same of a model of images of any size, whose channels are three.
    ///
    /// # Errors
    /// Those of [`images`](Self::images), and another number of channels.
    pub(crate) fn check(&self, pool: &str) -> Result<()> {
        match self.images(pool, 224)? {
            [3, ..] => Ok(()),
            [channels, ..] => bail!("field `in_chans` is {channels}: only images of 3 channels are supported"),
        }
    }
}
