//! What the original computed, by name.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;

use candle_core::{DType, Device, Tensor, bail};

use crate::load::{File, Holds, Kind};
use crate::{Result, near};

/// The tensors that the original model computed, by name: a safetensors file such as `tools/dump_reference.py` writes.
///
/// Names are free; those of the script are `input.NAME`, `output`, `module.PATH` for the output of the submodule at `PATH`
/// (`module.PATH#2` for that of its second call) and `grad.PATH` for the gradient with respect to it.
///
/// ```no_run
/// use taper::parity::Reference;
///
/// let reference = Reference::open("reference.safetensors")?;
/// let ids = reference.ids("input.input_ids")?;
/// let pattern = reference.tensor("attention.0")?;
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub struct Reference {
    source: Source,
    /// The shape of each, by name.
    shapes: BTreeMap<String, Vec<usize>>,
}

enum Source {
    File(File),
    Memory(HashMap<String, Tensor>),
}

impl Reference {
    /// The tensors of a safetensors file, read when they are asked for: it must not be written to meanwhile.
    ///
    /// # Errors
    /// A file that can't be read or is not whole.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let mut file = File::open(path.as_ref(), Kind::Safetensors)?;
        // candle has no truth values: as bytes they are 0 and 1.
        for at in file.tensors.values_mut().filter(|at| at.holds == Holds::Unknown("BOOL".to_owned())) {
            at.holds = Holds::Known(DType::U8);
        }
        let shapes = file.tensors.iter().map(|(name, at)| (name.clone(), at.shape.dims().to_vec())).collect();
        Ok(Reference { source: Source::File(file), shapes })
    }

    /// Tensors in memory by their names.
    pub fn from_tensors(tensors: HashMap<String, Tensor>) -> Self {
        let shapes = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.dims().to_vec())).collect();
        Reference { source: Source::Memory(tensors), shapes }
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.shapes.keys().map(String::as_str)
    }

    /// Whether there is a tensor of this name; `PATH#1` is another name of `PATH`.
    pub fn contains(&self, name: &str) -> bool {
        self.key(name).is_some()
    }

    /// The tensor of a name, on the CPU, in the dtype that it is stored in; truth values are `u8`.
    ///
    /// # Errors
    /// No such name, with near ones; a dtype that candle has not.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let Some(name) = self.key(name) else { bail!("there is no `{name}` in {self}{}", self.near(name)) };
        match &self.source {
            Source::Memory(tensors) => tensors[name].to_device(&Device::Cpu),
            Source::File(file) => match file.tensors[name].holds {
                Holds::Known(dtype) => file.read(name, None, dtype, &Device::Cpu),
                // The error says what it holds. Quantized tensors are in no safetensors file.
                Holds::Unknown(_) | Holds::Blocks(_) => file.read(name, None, DType::F32, &Device::Cpu),
            },
        }
    }

    /// The integers of a name as `u32`, as `Embedding` takes them: PyTorch's are `i64`.
    ///
    /// # Errors
    /// No such name, with near ones; numbers that are no integers, negative or too large.
    pub fn ids(&self, name: &str) -> Result<Tensor> {
        let tensor = self.tensor(name)?;
        if !tensor.dtype().is_int() {
            bail!("`{name}` is made of {:?}, and ids are integers; `tensor` gives it as it is", tensor.dtype());
        }
        let ids = tensor.to_dtype(DType::I64)?.flatten_all()?.to_vec1::<i64>()?;
        let ids =
            ids.into_iter().map(|id| u32::try_from(id).map_err(|_| id)).collect::<std::result::Result<Vec<_>, _>>();
        match ids {
            Ok(ids) => Tensor::from_vec(ids, tensor.shape(), &Device::Cpu),
            Err(id) => bail!("`{name}` has {id} in it, which is no id: ids are from 0 to {}", u32::MAX),
        }
    }

    /// The name in the source.
    pub(super) fn key<'n>(&self, name: &'n str) -> Option<&'n str> {
        [name, name.strip_suffix("#1").unwrap_or(name)].into_iter().find(|name| self.shapes.contains_key(*name))
    }

    /// The names most like one that there is not, as the end of a sentence.
    pub(super) fn near(&self, name: &str) -> String {
        near(name, self.names())
    }
}

/// The names most like `name`, as the end of a sentence.
pub(super) fn near<'n>(name: &str, among: impl Iterator<Item = &'n str>) -> String {
    let among: Vec<_> = among.map(|other| (other, other)).collect();
    match (&near::near(name, among.iter().copied())[..], &among[..]) {
        ([], []) => "; it has none".to_owned(),
        // Also where nothing is near: three names say how names are made.
        ([], _) => format!("; the nearest are {}", near::quoted(&near::nearest(name, among))),
        (near, _) => near::did_you_mean(near),
    }
}

/// Where it is from.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::File(file) => write!(f, "`{}`", file.path.display()),
            Source::Memory(_) => f.write_str("the given tensors"),
        }
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tensors of {self}", self.shapes.len())
    }
}
