//! A mapped file, and where in it each tensor lies.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Shape, Tensor};
use memmap2::Mmap;

use super::{decode, pytorch, safetensors};
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
    /// By the name that the file has for it: candle has none.
    Unknown(String),
}

impl Holds {
    /// Whether a loader that asks for `dtype` may get this: floats of another width, not integers for floats.
    pub(super) fn becomes(&self, dtype: DType) -> bool {
        matches!(self, Self::Known(holds) if holds.is_float() == dtype.is_float())
    }
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(dtype) => write!(f, "{dtype:?}"),
            Self::Unknown(name) => f.write_str(name),
        }
    }
}

impl File {
    /// Maps a file and reads where its tensors are.
    pub(crate) fn open(path: &Path, kind: Kind) -> Result<Self> {
        let bytes = mmap::map(path)?;
        let tensors = match kind {
            _ if bytes.starts_with(b"version https://git-lfs") => {
                Err("is a pointer of Git LFS, not the file itself; fetch it by `git lfs pull`".to_owned())
            }
            Kind::Safetensors => safetensors::tensors(&bytes),
            Kind::PyTorch => pytorch::tensors(&bytes),
        };
        let tensors = tensors.map_err(|fault| Error::Msg(format!("`{}` {fault}", path.display())))?;
        Ok(Self { path: path.to_path_buf(), tensors, bytes })
    }

    /// The tensor called `name` as `dtype` on `device`.
    pub(crate) fn read(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        let named = |error: Error| error.context(format!("cannot load `{name}` of `{}`", self.path.display()));
        decode::tensor(&self.bytes, &self.tensors[name], dtype, device).map_err(named)
    }
}

impl Located {
    /// The bytes of all its elements.
    pub(super) fn size(&self) -> usize {
        match self.holds {
            Holds::Known(dtype) => self.shape.elem_count() * dtype.size_in_bytes(),
            Holds::Unknown(_) => 0,
        }
    }
}
