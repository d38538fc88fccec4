//! Models of the checkpoints that people have.

use std::path::Path;

use candle_core::{DType, Device, Result, bail};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use taper::Weights;

pub use crate::config::read_config;
use crate::config::{Json, not_of};

/// A model that is made of a checkpoint and its configuration.
pub trait Pretrained: Sized {
    /// What the forward pass depends on, of a `config.json`.
    type Config: DeserializeOwned;

    /// The `model_type`s in a `config.json` that are this architecture.
    const MODEL_TYPES: &'static [&'static str];

    /// Whether a `config.json` and weights are of this model, where several have a type in common.
    /// [`open`](crate::open) takes the first that accepts.
    fn accepts(_config: &Map<String, Value>, _weights: &Weights) -> bool {
        true
    }

    /// The model, loaded strictly: what is missing, misshapen or left over is an error, but for what these checkpoints are
    /// known to have beside it.
    ///
    /// # Errors
    /// Tensors that are missing, misshapen or unused, and a configuration that is not supported.
    fn from_weights(weights: Weights, config: &Self::Config) -> Result<Self>;

    /// The model of a folder as Hugging Face has it: `config.json` beside the weights, which are read by
    /// [`Weights::folder`]. [`open`](crate::open) picks the architecture by the configuration.
    ///
    /// # Errors
    /// Files that can't be read, a configuration of another architecture, and those of
    /// [`from_weights`](Self::from_weights). All name the file, and the field or the tensors.
    fn from_folder(folder: impl AsRef<Path>, dtype: DType, device: &Device) -> Result<Self> {
        let folder = folder.as_ref();
        let config = Json::read(folder.join("config.json"))?;
        match config.model_type()? {
            Some(model_type) if !Self::MODEL_TYPES.contains(&model_type) => {
                return Err(not_of(&config, model_type, Self::MODEL_TYPES));
            }
            _ => (),
        }
        from_parts(&config, Weights::folder(folder, dtype, device)?)
    }

    /// The model of a repository of the Hugging Face hub, fetched into the cache if it is not there.
    /// [`open_hub`](crate::open_hub) picks the architecture by the configuration.
    ///
    /// # Errors
    /// Those of [`Repository::folder`](crate::hub::Repository::folder) and of [`from_folder`](Self::from_folder).
    #[cfg(feature = "hub")]
    fn from_hub(repository: impl Into<crate::hub::Repository>, dtype: DType, device: &Device) -> Result<Self> {
        Self::from_folder(repository.into().folder()?, dtype, device)
    }
}

/// The model of a configuration and weights. An error names the configuration's file, whose value it may be about.
pub(crate) fn from_parts<M: Pretrained>(config: &Json, weights: Weights) -> Result<M> {
    check_dtype(weights.dtype())?;
    let model = M::from_weights(weights, &config.parse()?);
    model.map_err(|error| error.context(format!("the model of `{}` cannot be loaded", config.path().display())))
}

/// An error if weights would not be floats: told once, and not of every tensor.
pub(crate) fn check_dtype(dtype: DType) -> Result<()> {
    match dtype {
        DType::F32 | DType::F64 | DType::F16 | DType::BF16 => Ok(()),
        other => bail!("the weights of a model cannot be {other:?}: open it as F32, F64, F16 or BF16"),
    }
}

/// The weights of a checkpoint under every name that its kind has had: with `prefix.` before the body's names, as in
/// checkpoints with a head, and without it; `gamma` and `beta` for the weight and the bias of a norm, as TensorFlow has
/// them.
#[must_use]
pub fn checkpoint_names(weights: Weights, prefix: &str) -> Weights {
    let ending =
        |name: &str, new: &str, old: &str| Some(format!("{}.{old}", name.strip_suffix(new)?.strip_suffix('.')?));
    weights
        .with_or_without(prefix)
        .or_named(move |name| ending(name, "weight", "gamma"))
        .or_named(move |name| ending(name, "bias", "beta"))
}
