//! Strict loading: what a loader asks for and what the file has must be the same tensors.

mod backend;
mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use candle_core::safetensors::{Load, MmapedSafetensors};
use candle_core::{DType, Device, Shape, Tensor, bail};
use candle_nn::VarBuilder;

use self::backend::{Log, Strict, locked};
use self::report::Report;
use super::mmap;
use crate::{Error, Result};

/// The weights of a file, loaded strictly.
///
/// [`load`](Self::load) hands a `VarBuilder` to a loader and compares what it asked for with what the file has. It fails
/// if a tensor is missing, if one has another shape, and if the file has one that nobody asked for: the last is what
/// candle's own builder cannot see, and how a half-loaded model goes unnoticed. All faults come in one error, with near
/// names.
///
/// - To ask whether an optional tensor is there, use `vb.contains_tensor(..)`, which counts as no request. A `vb.get(..)`
///   whose error the loader drops is a missing tensor all the same.
/// - The `num_batches_tracked` of PyTorch's batch norms, which candle's do not have, may be left if the norm is loaded.
/// - For loading that is not strict, give the loader one of candle's own builders, such as `VarBuilder::from_tensors`.
///
/// ```
/// use std::collections::HashMap;
///
/// use taper::Weights;
/// use taper::candle_core::{DType, Device, Module, Tensor};
/// use taper::candle_nn::linear;
///
/// let tensors = HashMap::from([
///     ("up.weight".to_owned(), Tensor::ones((4, 2), DType::F32, &Device::Cpu)?),
///     ("up.bias".to_owned(), Tensor::zeros(4, DType::F32, &Device::Cpu)?),
/// ]);
/// let weights = Weights::from_tensors(tensors, DType::F32, &Device::Cpu);
///
/// let up = weights.load(|vb| linear(2, 4, vb.pp("up")))?;
/// assert_eq!(up.forward(&Tensor::ones((1, 2), DType::F32, &Device::Cpu)?)?.to_vec2::<f32>()?, [[2.0; 4]]);
///
/// let error = weights.load(|vb| linear(3, 4, vb.pp("upp"))).unwrap_err().to_string();
/// assert!(error.contains("missing `upp.weight` [4, 3], did you mean `up.weight` [4, 2]?"), "{error}");
/// assert!(error.contains("unused `up.bias` [4]"), "{error}");
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Weights {
    tensors: Arc<Tensors>,
    dtype: DType,
    device: Device,
    allowed: Vec<Allowed>,
}

type Allowed = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// The tensors by the names under which a loader asks for them.
struct Tensors {
    source: Arc<Source>,
    index: BTreeMap<String, Entry>,
}

/// A tensor that can be asked for.
#[derive(Clone)]
struct Entry {
    shape: Shape,
    /// Its name in the source.
    stored: String,
    /// Which of the files has it.
    file: usize,
}

enum Source {
    Files(Vec<(PathBuf, MmapedSafetensors)>),
    Memory(HashMap<String, Tensor>),
}

impl Weights {
    /// The tensors of one safetensors file, or of several among which they are divided.
    ///
    /// The tensors that a loader asks for become `dtype` on `device`, as with candle's builders.
    ///
    /// The files are mapped into memory: they must not be written to or truncated while the `Weights` or a builder of it
    /// exists. Loaded tensors are copies, and do not depend on the files.
    ///
    /// # Errors
    /// No file, one that cannot be read or is not whole, and a tensor that is in two of them.
    ///
    /// ```no_run
    /// # use taper::{Weights, candle_core::{DType, Device}, candle_nn::linear};
    /// let weights = Weights::safetensors(["model.safetensors"], DType::F32, &Device::Cpu)?;
    /// let head = weights.load(|vb| linear(768, 10, vb.pp("head")))?;
    /// # Ok::<(), taper::candle_core::Error>(())
    /// ```
    pub fn safetensors<P: AsRef<Path>>(
        paths: impl IntoIterator<Item = P>,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let mut files = Vec::new();
        let mut index = BTreeMap::new();
        for path in paths {
            let path = path.as_ref();
            let mapped = mmap::map(path)?;
            for (stored, view) in mapped.tensors() {
                let entry = Entry { shape: Shape::from(view.shape()), stored: stored.clone(), file: files.len() };
                if let Some(first) = index.insert(stored.clone(), entry) {
                    let (first, _): &(PathBuf, _) = &files[first.file];
                    bail!("`{stored}` is in two files, `{}` and `{}`", first.display(), path.display());
                }
            }
            files.push((path.to_path_buf(), mapped));
        }
        if files.is_empty() {
            bail!("no safetensors file was given; name at least one");
        }
        Ok(Self::new(Source::Files(files), index, dtype, device))
    }

    /// Tensors in memory by their names.
    pub fn from_tensors(tensors: HashMap<String, Tensor>, dtype: DType, device: &Device) -> Self {
        let entry = |(name, tensor): (&String, &Tensor)| {
            (name.clone(), Entry { shape: tensor.shape().clone(), stored: name.clone(), file: 0 })
        };
        let index = tensors.iter().map(entry).collect();
        Self::new(Source::Memory(tensors), index, dtype, device)
    }

    fn new(source: Source, index: BTreeMap<String, Entry>, dtype: DType, device: &Device) -> Self {
        let tensors = Arc::new(Tensors { source: Arc::new(source), index });
        Self { tensors, dtype, device: device.clone(), allowed: Vec::new() }
    }

    /// The same tensors with `prefix.` before every name: for a file that has `wte.weight` and a loader that asks for
    /// `transformer.wte.weight`. In the other direction, give the loader `vb.pp("transformer")`.
    #[must_use]
    pub fn prefixed(mut self, prefix: &str) -> Self {
        let index =
            self.tensors.index.iter().map(|(name, entry)| (format!("{prefix}.{name}"), entry.clone())).collect();
        self.tensors = Arc::new(Tensors { source: Arc::clone(&self.tensors.source), index });
        self
    }

    /// The same tensors by other names: for files whose names are older, or another library's.
    ///
    /// # Errors
    /// Two tensors that would have one name.
    pub fn renamed(mut self, mut rename: impl FnMut(&str) -> String) -> Result<Self> {
        let mut index: BTreeMap<String, Entry> = BTreeMap::new();
        for (name, entry) in &self.tensors.index {
            let new = rename(name);
            if let Some(first) = index.insert(new.clone(), entry.clone()) {
                bail!("`{}` and `{}` would both be named `{new}`; give each a name", first.stored, entry.stored);
            }
        }
        self.tensors = Arc::new(Tensors { source: Arc::clone(&self.tensors.source), index });
        Ok(self)
    }

    /// Names of tensors that the loader may leave: buffers, or heads of another task. Several calls add up.
    #[must_use]
    pub fn allow_unused(mut self, allowed: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.allowed.push(Arc::new(allowed));
        self
    }

    /// The names under which tensors can be asked for, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.index.keys().map(String::as_str)
    }

    /// Whether there is a tensor of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.index.contains_key(name)
    }

    /// What `load` makes of the tensors, if it asked for each of them by its shape and for no other.
    ///
    /// A tensor that is missing or has another shape is replaced by zeros until `load` is done, so that every fault is
    /// found; nothing made of them is returned. `vb.get_unchecked(..)` has no shape to make zeros of, so there a missing
    /// tensor ends the loading.
    ///
    /// # Errors
    /// All the faults at once, and the error of `load` if it has one. What is unused is told only if `load` came to its
    /// end.
    pub fn load<M>(&self, load: impl FnOnce(VarBuilder<'static>) -> Result<M>) -> Result<M> {
        let log = Arc::new(Mutex::new(Log::default()));
        let backend = Strict { tensors: Arc::clone(&self.tensors), log: Arc::clone(&log) };
        let vb = VarBuilder::from_backend(Box::new(backend), self.dtype, self.device.clone());
        let result = load(vb);
        let found = locked(&log).finish();
        let report = Report::new(&self.tensors, &found, &self.allowed, result.is_ok());
        match result {
            result if report.is_empty() => result,
            Ok(_) => Err(Error::msg(report)),
            Err(error) => Err(error.context(report.to_string())),
        }
    }
}

impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tensors of {} as {:?}", self.tensors.index.len(), self.tensors, self.dtype)
    }
}

impl Tensors {
    fn read(&self, entry: &Entry, dtype: DType, device: &Device) -> Result<Tensor> {
        match &*self.source {
            Source::Files(files) => {
                let (path, file) = &files[entry.file];
                let read = || file.get(&entry.stored)?.load(device)?.to_dtype(dtype);
                read().map_err(|error| error.context(format!("cannot load `{}`", entry.stored)).with_path(path))
            }
            Source::Memory(tensors) => tensors[&entry.stored].to_device(device)?.to_dtype(dtype),
        }
    }
}

/// Where the tensors are from.
impl fmt::Display for Tensors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 3;
        match &*self.source {
            Source::Memory(_) => f.write_str("the given tensors"),
            Source::Files(files) => {
                let shown: Vec<_> = files.iter().take(SHOWN).map(|(path, _)| format!("`{}`", path.display())).collect();
                f.write_str(&shown.join(", "))?;
                match files.len().saturating_sub(SHOWN) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more files"),
                }
            }
        }
    }
}
