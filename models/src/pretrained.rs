//! Models of the checkpoints that people have.

use std::fs;
use std::path::Path;

use candle_core::{DType, Device, Error, Result};
use serde::de::DeserializeOwned;
use taper::Weights;

/// A model that is made of a checkpoint and its configuration.
pub trait Pretrained: Sized {
    /// What the forward pass depends on, of a `config.json`.
    type Config: DeserializeOwned;

    /// The `model_type`s in a `config.json` that are this architecture.
    const MODEL_TYPES: &'static [&'static str];

    /// The model, loaded strictly: what is missing, misshapen or left over is an error, but for what these checkpoints are
    /// known to have beside it.
    ///
    /// # Errors
    /// Tensors that are missing, misshapen or unused, and a configuration that is not supported.
    fn from_weights(weights: Weights, config: &Self::Config) -> Result<Self>;

    /// The model of a folder as Hugging Face has it: `config.json` and `model.safetensors`.
    ///
    /// # Errors
    /// Files that can't be read, and those of [`from_weights`](Self::from_weights).
    fn from_folder(folder: impl AsRef<Path>, dtype: DType, device: &Device) -> Result<Self> {
        let folder = folder.as_ref();
        let config = read_config(folder.join("config.json"))?;
        Self::from_weights(Weights::safetensors([folder.join("model.safetensors")], dtype, device)?, &config)
    }
}

/// Reads a `config.json`.
///
/// # Errors
/// A file that can't be read, and one that is not a configuration of this architecture.
pub fn read_config<C: DeserializeOwned>(path: impl AsRef<Path>) -> Result<C> {
    let path = path.as_ref();
    let text = fs::read_to_string(path).map_err(|error| Error::from(error).with_path(path))?;
    serde_json::from_str(&text).map_err(|error| Error::wrap(error).with_path(path))
}
