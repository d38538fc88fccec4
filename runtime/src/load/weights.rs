//! Strict loading: what a loader asks for and what the file has must be the same tensors.

mod backend;
mod decode;
mod file;
mod folder;
mod gguf;
mod pytorch;
mod quantized;
mod report;
mod safetensors;
mod stored;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use candle_core::quantized::gguf_file::Value;
use candle_core::{DType, Device, Shape, Tensor, bail};
use candle_nn::VarBuilder;

use self::backend::{Log, Strict, locked};
pub(crate) use self::file::{File, Holds, Kind};
pub(crate) use self::quantized::quantized_tensor;
use self::report::Report;
pub use self::stored::Stored;
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
    progress: Option<Progress>,
}

type Allowed = Arc<dyn Fn(&str) -> bool + Send + Sync>;
type OtherName = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;
type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// The tensors by the names under which a loader asks for them.
#[derive(Clone)]
struct Tensors {
    source: Arc<Source>,
    index: BTreeMap<String, Entry>,
    /// Other names under which to look for a tensor that is not there by its own.
    others: Vec<OtherName>,
}

/// A tensor that can be asked for.
#[derive(Clone)]
struct Entry {
    shape: Shape,
    holds: Holds,
    /// Its bytes in the source.
    size: u64,
    /// Its name in the source.
    stored: String,
    /// Which of the files has it.
    file: usize,
    /// The order of its rows, if not that of the source.
    rows: Option<Arc<[usize]>>,
}

enum Source {
    Files(Vec<File>),
    Memory(HashMap<String, Tensor>),
}

impl Weights {
    /// The tensors of a folder as Hugging Face's libraries write it: of `model.safetensors`, of the shards that
    /// `model.safetensors.index.json` lists, of `pytorch_model.bin`, or of the shards that
    /// `pytorch_model.bin.index.json` lists; the first of these that is there.
    ///
    /// The rest is as with [`safetensors`](Self::safetensors).
    ///
    /// # Errors
    /// A folder without any of these, an index that cannot be read, a shard that is not there, a tensor that the index
    /// puts in a shard which lacks it; and those of [`safetensors`](Self::safetensors) and [`pytorch`](Self::pytorch).
    ///
    /// ```no_run
    /// # use taper::{Weights, candle_core::{DType, Device}};
    /// let weights = Weights::folder("models/gpt2", DType::F32, &Device::Cpu)?;
    /// assert!(weights.contains("wte.weight"));
    /// # Ok::<(), taper::candle_core::Error>(())
    /// ```
    pub fn folder(dir: impl AsRef<Path>, dtype: DType, device: &Device) -> Result<Self> {
        let (files, index) = folder::open(dir.as_ref())?;
        Ok(Self::new(Source::Files(files), index, dtype, device))
    }

    /// The tensors of the shards that an index lists: `model.safetensors.index.json`, or one of another name such as
    /// `diffusion_pytorch_model.safetensors.index.json`; of PyTorch's files if it ends with `.bin.index.json`.
    ///
    /// The rest is as with [`folder`](Self::folder).
    ///
    /// # Errors
    /// Those of [`folder`](Self::folder).
    pub fn index(list: impl AsRef<Path>, dtype: DType, device: &Device) -> Result<Self> {
        let (files, index) = folder::open_index(list.as_ref())?;
        Ok(Self::new(Source::Files(files), index, dtype, device))
    }

    /// The tensors of one safetensors file, or of several among which they are divided.
    ///
    /// The tensors that a loader asks for become `dtype` on `device`, as with candle's builders.
    ///
    /// The files are mapped into memory: they must not be written to or truncated while the `Weights` or a builder of it
    /// exists. Loaded tensors are copies, and do not depend on the files. Nothing is copied twice: on the CPU, loading
    /// takes the memory of the loaded tensors, also where `f16` or `bf16` becomes `f32`.
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
        Self::files(paths, Kind::Safetensors, dtype, device)
    }

    /// The tensors of a state dict that PyTorch's `torch.save` wrote, or of several among which they are divided.
    ///
    /// Tensors in a dict of the dict are named `key.name`. Where all tensors are below one key, as in a checkpoint with
    /// `state_dict` beside `epoch`, the key is left out. No code of the file is run. Files from before PyTorch 1.6 are
    /// read too.
    ///
    /// The rest is as with [`safetensors`](Self::safetensors).
    ///
    /// # Errors
    /// No file, one that cannot be read, is not whole, or holds something else than plain tensors, and a tensor that is
    /// in two of them.
    ///
    /// ```no_run
    /// # use taper::{Weights, candle_core::{DType, Device}, candle_nn::linear};
    /// let weights = Weights::pytorch(["pytorch_model.bin"], DType::F32, &Device::Cpu)?;
    /// let head = weights.load(|vb| linear(768, 10, vb.pp("head")))?;
    /// # Ok::<(), taper::candle_core::Error>(())
    /// ```
    pub fn pytorch<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>, dtype: DType, device: &Device) -> Result<Self> {
        Self::files(paths, Kind::PyTorch, dtype, device)
    }

    fn files<P: AsRef<Path>>(
        paths: impl IntoIterator<Item = P>,
        kind: Kind,
        dtype: DType,
        device: &Device,
    ) -> Result<Self> {
        let files = paths.into_iter().map(|path| File::open(path.as_ref(), kind)).collect::<Result<Vec<_>>>()?;
        if files.is_empty() {
            bail!("no file of weights was given; name at least one");
        }
        let index = index(&files, |_| None)?;
        Ok(Self::new(Source::Files(files), index, dtype, device))
    }

    /// Tensors in memory by their names.
    pub fn from_tensors(tensors: HashMap<String, Tensor>, dtype: DType, device: &Device) -> Self {
        let entry = |(name, tensor): (&String, &Tensor)| {
            let entry = Entry {
                shape: tensor.shape().clone(),
                holds: Holds::Known(tensor.dtype()),
                size: (tensor.elem_count() * tensor.dtype().size_in_bytes()) as u64,
                stored: name.clone(),
                file: 0,
                rows: None,
            };
            (name.clone(), entry)
        };
        let index = tensors.iter().map(entry).collect();
        Self::new(Source::Memory(tensors), index, dtype, device)
    }

    fn new(source: Source, index: BTreeMap<String, Entry>, dtype: DType, device: &Device) -> Self {
        let tensors = Arc::new(Tensors { source: Arc::new(source), index, others: Vec::new() });
        Self { tensors, dtype, device: device.clone(), allowed: Vec::new(), progress: None }
    }

    /// The same tensors by other names: for files whose names are older, or another library's.
    ///
    /// ```
    /// # use std::collections::HashMap;
    /// # use taper::{Weights, candle_core::{DType, Device, Tensor}};
    /// # let one = || Tensor::ones(1, DType::F32, &Device::Cpu);
    /// # let tensors = HashMap::from([("norm.gamma".to_owned(), one()?), ("norm.beta".to_owned(), one()?)]);
    /// let weights = Weights::from_tensors(tensors, DType::F32, &Device::Cpu)
    ///     .renamed(|name| name.replace("gamma", "weight").replace("beta", "bias"))?;
    /// assert_eq!(weights.names().collect::<Vec<_>>(), ["norm.bias", "norm.weight"]);
    /// # Ok::<(), taper::candle_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Two tensors that would have one name.
    pub fn renamed(mut self, mut rename: impl FnMut(&str) -> String) -> Result<Self> {
        let mut index: BTreeMap<String, Entry> = BTreeMap::new();
        for (name, entry) in &self.tensors.index {
            let new = rename(name);
            if let Some(first) = index.insert(new.clone(), entry.clone()) {
                let (first, second) = (&first.stored, &entry.stored);
                bail!("`{first}` and `{second}` of {} would both be named `{new}`; give each a name", self.tensors);
            }
        }
        Arc::make_mut(&mut self.tensors).index = index;
        Ok(self)
    }

    /// The same tensors, some of them with their rows in another order: `order` takes a name and the number of rows, the
    /// first dimension, and gives the row that comes first, the one that comes second, and so on; or none, for a tensor
    /// that stays. Quantized tensors stay quantized.
    ///
    /// ```
    /// # use std::collections::HashMap;
    /// # use taper::{Weights, candle_core::{DType, Device, Tensor}};
    /// let tensors = HashMap::from([("w".to_owned(), Tensor::new(&[[1f32, 2.], [3., 4.]], &Device::Cpu)?)]);
    /// let weights = Weights::from_tensors(tensors, DType::F32, &Device::Cpu)
    ///     .with_rows(|name, rows| (name == "w").then(|| (0..rows).rev().collect()))?;
    /// assert_eq!(weights.load(|vb| vb.get((2, 2), "w"))?.to_vec2::<f32>()?, [[3., 4.], [1., 2.]]);
    /// # Ok::<(), taper::candle_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// An order that is not one of all rows, and one of a tensor whose rows have been ordered already.
    pub fn with_rows(mut self, order: impl Fn(&str, usize) -> Option<Vec<usize>>) -> Result<Self> {
        for (name, entry) in &mut Arc::make_mut(&mut self.tensors).index {
            let count = entry.shape.dims().first().copied().unwrap_or(0);
            let Some(rows) = order(name, count) else { continue };
            let mut all = rows.clone();
            all.sort_unstable();
            if !all.into_iter().eq(0..count) || entry.rows.is_some() {
                bail!("the order of the rows of `{name}` has to be one of all {count} rows, and given once");
            }
            entry.rows = Some(rows.into());
        }
        Ok(self)
    }

    /// The same tensors with `prefix.` before every name: for a file that has `wte.weight` and a loader that asks for
    /// `transformer.wte.weight`. In the other direction, give the loader `vb.pp("transformer")`.
    #[must_use]
    pub fn prefixed(mut self, prefix: &str) -> Self {
        let tensors = Arc::make_mut(&mut self.tensors);
        tensors.index = tensors.index.iter().map(|(name, entry)| (format!("{prefix}.{name}"), entry.clone())).collect();
        self
    }

    /// The same tensors; one that is not there by the name by which a loader asks for it is looked for by the name that
    /// `other` gives. Several calls add up, and so do their names.
    ///
    /// One tensor for two names that are asked for is a fault.
    ///
    /// ```
    /// # use std::collections::HashMap;
    /// # use taper::{Weights, candle_core::{DType, Device, Tensor}};
    /// # let tensors = HashMap::from([("norm.gamma".to_owned(), Tensor::ones(1, DType::F32, &Device::Cpu)?)]);
    /// let weights = Weights::from_tensors(tensors, DType::F32, &Device::Cpu)
    ///     .or_named(|name| Some(format!("{}.gamma", name.strip_suffix(".weight")?)));
    /// weights.load(|vb| vb.get(1, "norm.weight"))?;
    /// # Ok::<(), taper::candle_core::Error>(())
    /// ```
    #[must_use]
    pub fn or_named(mut self, other: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.tensors).others.push(Arc::new(other));
        self
    }

    /// The same tensors, to be found with `prefix.` before their names and without it, whichever way the file has them:
    /// `transformer.wte.weight` as `wte.weight`, and the other way round. An exact name comes first.
    ///
    /// Checkpoints of one architecture differ in this: that of a model with a head has its body below a prefix, that of
    /// the body alone has not.
    ///
    /// ```
    /// # use std::collections::HashMap;
    /// # use taper::{Weights, candle_core::{DType, Device, Tensor}, candle_nn::linear};
    /// # let one = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu);
    /// let tensors = HashMap::from([
    ///     ("up.weight".to_owned(), one(&[4, 2])?),
    ///     ("up.bias".to_owned(), one(&[4])?),
    ///     ("head.weight".to_owned(), one(&[3, 4])?),
    /// ]);
    /// let weights = Weights::from_tensors(tensors, DType::F32, &Device::Cpu).with_or_without("model");
    /// weights.load(|vb| Ok((linear(2, 4, vb.pp("model.up"))?, vb.get((3, 4), "head.weight")?)))?;
    /// # Ok::<(), taper::candle_core::Error>(())
    /// ```
    #[must_use]
    pub fn with_or_without(self, prefix: &str) -> Self {
        let prefix = format!("{prefix}.");
        self.or_named(move |name| {
            Some(name.strip_prefix(&prefix).map_or_else(|| format!("{prefix}{name}"), str::to_owned))
        })
    }

    /// Calls `report` while a loader loads: with the bytes read so far and those of all tensors, as the source has them.
    /// The last call is with all of them.
    #[must_use]
    pub fn on_progress(mut self, report: impl Fn(u64, u64) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(report));
        self
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
        self.tensors.find(name).is_some()
    }

    /// The shape of the tensor of this name, if there is one.
    pub fn shape(&self, name: &str) -> Option<&Shape> {
        self.tensors.find(name).map(|(_, entry)| &entry.shape)
    }

    /// What tensors become where a loader names no dtype.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// What `load` makes of the tensors, if it asked for each of them by its shape and for no other.
    ///
    /// A tensor that is missing or has another shape is replaced by zeros until `load` is done, so that every fault is
    /// found; nothing made of them is returned. The same goes for one that holds integers where the loader asks for
    /// floats, or floats where it asks for integers. `vb.get_unchecked(..)` has no shape to make zeros of, so there a
    /// missing tensor ends the loading.
    ///
    /// # Errors
    /// All the faults at once, and the error of `load` if it has one. What is unused is told only if `load` came to its
    /// end.
    pub fn load<M>(&self, load: impl FnOnce(VarBuilder<'static>) -> Result<M>) -> Result<M> {
        let log = Arc::new(Mutex::new(Log::default()));
        let progress = self.progress.as_ref().map(|report| (Arc::clone(report), self.tensors.size()));
        let backend = Strict { tensors: Arc::clone(&self.tensors), log: Arc::clone(&log), progress };
        let vb = VarBuilder::from_backend(Box::new(backend), self.dtype, self.device.clone());
        let result = load(vb);
        let found = locked(&log).finish();
        let report = Report::new(&self.tensors, &found, &self.allowed, result.is_ok());
        match result {
            result if report.is_empty() => {
                if let (Ok(_), Some(progress)) = (&result, &self.progress) {
                    progress(self.tensors.size(), self.tensors.size());
                }
                result
            }
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

/// A GGUF file, before it is known what its tensors are to become.
pub(super) struct GgufFile(File);

impl GgufFile {
    pub(super) fn open(path: &Path) -> Result<(HashMap<String, Value>, Self)> {
        File::open_gguf(path).map(|(metadata, file)| (metadata, Self(file)))
    }

    pub(super) fn weights(self, dtype: DType, device: &Device) -> Weights {
        let files = vec![self.0];
        let index = tensors_of(&files, 0).collect();
        Weights::new(Source::Files(files), index, dtype, device)
    }
}

/// The tensors of all files by their names; `chosen` says which of two files that have a name is meant.
fn index(files: &[File], chosen: impl Fn(&str) -> Option<usize>) -> Result<BTreeMap<String, Entry>> {
    let mut index: BTreeMap<String, Entry> = BTreeMap::new();
    for (number, file) in files.iter().enumerate() {
        for (stored, entry) in tensors_of(files, number) {
            if chosen(&stored).is_some_and(|chosen| chosen != number) {
                continue;
            }
            if let Some(first) = index.insert(stored.clone(), entry) {
                let first = &files[first.file].path;
                bail!(
                    "`{stored}` is in two files, `{}` and `{}`, so that they are not the parts of one model; give the files \
                     of one",
                    first.display(),
                    file.path.display()
                );
            }
        }
    }
    Ok(index)
}

/// The tensors of one of the files.
fn tensors_of(files: &[File], number: usize) -> impl Iterator<Item = (String, Entry)> {
    files[number].tensors.iter().map(move |(stored, tensor)| {
        let entry = Entry {
            shape: tensor.shape.clone(),
            holds: tensor.holds.clone(),
            size: tensor.size() as u64,
            stored: stored.clone(),
            file: number,
            rows: None,
        };
        (stored.clone(), entry)
    })
}

impl Tensors {
    /// The tensor that is asked for as `name`, with the name that it has.
    fn find(&self, name: &str) -> Option<(&str, &Entry)> {
        let own = |name: &str| self.index.get_key_value(name).map(|(name, entry)| (name.as_str(), entry));
        own(name).or_else(|| {
            let mut names = vec![name.to_owned()];
            for other in &self.others {
                names.extend(names.iter().filter_map(|name| other(name)).collect::<Vec<_>>());
            }
            names.iter().find_map(|name| own(name))
        })
    }

    /// The bytes of all.
    fn size(&self) -> u64 {
        self.index.values().map(|entry| entry.size).sum()
    }

    fn read(&self, entry: &Entry, dtype: DType, device: &Device) -> Result<Tensor> {
        match &*self.source {
            Source::Files(files) => files[entry.file].read(&entry.stored, entry.rows.as_deref(), dtype, device),
            Source::Memory(tensors) => {
                let tensor = tensors[&entry.stored].to_device(device)?.to_dtype(dtype)?;
                let Some(rows) = &entry.rows else { return Ok(tensor) };
                let rows: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
                tensor.index_select(&Tensor::new(rows, device)?, 0)
            }
        }
    }

    /// The bytes of a quantized tensor.
    fn blocks(&self, entry: &Entry) -> Result<Tensor> {
        match &*self.source {
            Source::Files(files) => files[entry.file].blocks(&entry.stored, entry.rows.as_deref()),
            Source::Memory(_) => bail!("`{}` is not quantized", entry.stored),
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
                let shown: Vec<_> = files.iter().take(SHOWN).map(|file| format!("`{}`", file.path.display())).collect();
                f.write_str(&shown.join(", "))?;
                match files.len().saturating_sub(SHOWN) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more files"),
                }
            }
        }
    }
}
