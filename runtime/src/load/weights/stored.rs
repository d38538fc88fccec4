//! The tensors of a source as it has them.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Shape;

use super::{Entry, Source, Weights};

/// A tensor as its source has it, before it is loaded: what [`Weights::stored`] gives.
#[derive(Clone, Debug)]
pub struct Stored<'w> {
    /// The name under which it can be asked for.
    pub name: &'w str,
    /// Its sizes.
    pub shape: &'w Shape,
    /// What its elements are, `F32`, `BF16` or `Q4K`; of a type that candle has not, and that can't be loaded, the file's
    /// own name of it.
    pub dtype: String,
    /// How much of the source it takes.
    pub bytes: u64,
    /// The file that has it; none for a tensor in memory.
    pub file: Option<&'w Path>,
}

impl Weights {
    /// Every tensor as the source has it, in the order of the names. Nothing is read but the headers of the files.
    ///
    /// ```
    /// # use std::collections::HashMap;
    /// # use taper::{Weights, candle_core::{DType, Device, Tensor}};
    /// let tensors = HashMap::from([("up.weight".to_owned(), Tensor::zeros((4, 2), DType::BF16, &Device::Cpu)?)]);
    /// let weights = Weights::from_tensors(tensors, DType::F32, &Device::Cpu);
    /// let up = weights.stored().next().expect("a tensor");
    /// assert_eq!((up.name, up.shape.dims(), up.dtype.as_str(), up.bytes), ("up.weight", &[4, 2][..], "BF16", 16));
    /// # Ok::<(), taper::candle_core::Error>(())
    /// ```
    pub fn stored(&self) -> impl ExactSizeIterator<Item = Stored<'_>> {
        self.tensors.index.iter().map(|(name, entry)| Stored {
            name,
            shape: &entry.shape,
            dtype: entry.holds.to_string(),
            bytes: entry.size,
            file: self.file(entry),
        })
    }

    fn file(&self, entry: &Entry) -> Option<&Path> {
        match &*self.tensors.source {
            Source::Files(files) => Some(&files[entry.file].path),
            Source::Memory(_) => None,
        }
    }

    /// What the safetensors files among the sources say of themselves, their `__metadata__`. Of shards that say different
    /// things under one key, it is the last one's.
    pub fn metadata(&self) -> BTreeMap<String, String> {
        match &*self.tensors.source {
            Source::Files(files) => files.iter().flat_map(super::File::metadata).collect(),
            Source::Memory(_) => BTreeMap::new(),
        }
    }
}
