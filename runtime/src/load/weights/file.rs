//! A mapped file, and where in it each tensor lies.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::Value;
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Shape, Tensor};
use memmap2::Mmap;

use super::{decode, gguf, pytorch, safetensors};
use crate::load::mmap;
use crate::{Error, Result};

/// The kinds of files whose tensors lie in them as they lie in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Safetensors,
    PyTorch,
}

pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) tensors: BTreeMap<String, Located>,
    bytes: Mmap,
}

/// The tensors of a file by their names.
pub(super) type Tensors = BTreeMap<String, Located>;

/// A tensor in a file.
pub(crate) struct Located {
    pub(crate) holds: Holds,
    pub(crate) shape: Shape,
    /// In elements; none where they are in order.
    pub(super) stride: Option<Vec<usize>>,
    /// The byte at which its first element begins.
    pub(super) start: usize,
}

/// What the elements are.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Holds {
    Known(DType),
    /// Quantized, many in a block.
    Blocks(GgmlDType),
    /// By the name that the file has for it: candle has none.
    Unknown(String),
}

impl Holds {
    /// Whether a loader that asks for `dtype` may get this: floats of another width, not integers for floats.
    pub(super) fn becomes(&self, dtype: DType) -> bool {
        match self {
            Self::Known(holds) => holds.is_float() == dtype.is_float(),
            Self::Blocks(_) => dtype.is_float(),
            Self::Unknown(_) => false,
        }
    }
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(dtype) => write!(f, "{dtype:?}"),
            Self::Blocks(dtype) => write!(f, "{dtype:?}"),
            Self::Unknown(name) => f.write_str(name),
        }
    }
}

impl File {
    /// Maps a file and reads where its tensors are.
    pub(crate) fn open(path: &Path, kind: Kind) -> Result<Self> {
        let read = match kind {
            Kind::Safetensors => safetensors::tensors,
            Kind::PyTorch => pytorch::tensors,
        };
        Self::read_by(path, |bytes| Ok(((), read(bytes)?))).map(|((), file)| file)
    }

    /// The same of a GGUF file, with its metadata.
    pub(super) fn open_gguf(path: &Path) -> Result<(HashMap<String, Value>, Self)> {
        Self::read_by(path, gguf::read)
    }

    fn read_by<T>(
        path: &Path,
        read: impl FnOnce(&[u8]) -> std::result::Result<(T, Tensors), String>,
    ) -> Result<(T, Self)> {
        let bytes = mmap::map(path)?;
        let found = if bytes.starts_with(b"version https://git-lfs") {
            Err("is a pointer of Git LFS, not the file itself; fetch it by `git lfs pull`".to_owned())
        } else {
            read(&bytes)
        };
        let (more, tensors) = found.map_err(|fault| Error::Msg(format!("`{}` {fault}", path.display())))?;
        Ok((more, Self { path: path.to_path_buf(), tensors, bytes }))
    }

    /// The tensor called `name` as `dtype` on `device`, of all its rows or of these.
    pub(crate) fn read(&self, name: &str, rows: Option<&[usize]>, dtype: DType, device: &Device) -> Result<Tensor> {
        let read = || decode::tensor(&self.bytes, &self.tensors[name], rows, dtype, device);
        read().map_err(|error| self.named(name, error))
    }

    /// What a safetensors file says of itself.
    pub(super) fn metadata(&self) -> HashMap<String, String> {
        safetensors::metadata(&self.bytes)
    }

    /// The quantized tensor called `name`, as it is stored.
    pub(super) fn quantized(&self, name: &str, rows: Option<&[usize]>, device: &Device) -> Result<QTensor> {
        let read = || decode::quantized(&self.bytes, &self.tensors[name], rows, device);
        read().map_err(|error| self.named(name, error))
    }

    fn named(&self, name: &str, error: Error) -> Error {
        error.context(format!("cannot load `{name}` of `{}`", self.path.display()))
    }
}

impl Located {
    /// The bytes of all its elements.
    pub(super) fn size(&self) -> usize {
        match self.holds {
            Holds::Known(dtype) => self.shape.elem_count() * dtype.size_in_bytes(),
            Holds::Blocks(dtype) => self.shape.elem_count() / dtype.block_size() * dtype.type_size(),
            Holds::Unknown(ref name) => (self.shape.elem_count() * bits(name)).div_ceil(8),
        }
    }
}

/// The width of a type of safetensors that candle has not, `U16` or `F8_E5M2`.
fn bits(name: &str) -> usize {
    let digits: String = name.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    match name {
        "BOOL" => 8,
        _ => digits.parse().unwrap_or(0),
    }
}
