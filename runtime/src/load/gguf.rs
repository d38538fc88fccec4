//! A GGUF file: its metadata, and its tensors as weights.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::Value;
use candle_core::{DType, Device};

use super::weights::{GgufFile, Weights};
use crate::Result;

/// A GGUF file, as llama.cpp has them.
///
/// Quantized tensors stay as they are in layers that take them so, [`quantized::Linear`](crate::quantized::Linear); for
/// any other that asks for them they become floats.
///
/// ```no_run
/// use taper::Gguf;
/// use taper::candle_core::{DType, Device};
/// use taper::quantized::linear_b;
///
/// let file = Gguf::open("model-Q8_0.gguf")?;
/// println!("{:?}", file.metadata()["general.architecture"]);
/// let weights = file.weights(DType::F32, &Device::Cpu).allow_unused(|name| name != "output.weight");
/// let head = weights.load(|vb| linear_b(4096, 32000, false, vb.pp("output")))?;
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub struct Gguf {
    path: PathBuf,
    metadata: HashMap<String, Value>,
    file: GgufFile,
}

impl Gguf {
    /// Maps the file and reads its header. What [`Weights::safetensors`] says of mapped files is true of it.
    ///
    /// # Errors
    /// A file that cannot be read, that is not whole, or that is not GGUF.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (metadata, file) = GgufFile::open(path)?;
        Ok(Self { path: path.to_path_buf(), metadata, file })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it says of the model, such as `llama.block_count`.
    pub fn metadata(&self) -> &HashMap<String, Value> {
        &self.metadata
    }

    /// The tensors; those that are not taken as they are become `dtype`, on `device`.
    pub fn weights(self, dtype: DType, device: &Device) -> Weights {
        self.file.weights(dtype, device)
    }
}
