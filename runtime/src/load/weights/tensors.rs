//! The tensors of a source by the names under which a loader asks for them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use candle_core::quantized::QTensor;
use candle_core::{DType, Device, Shape, Tensor, bail};

use super::file::{File, Holds};
use crate::Result;

type OtherName = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The tensors by the names under which a loader asks for them.
#[derive(Clone)]
pub(super) struct Tensors {
    pub(super) source: Arc<Source>,
    pub(super) index: BTreeMap<String, Entry>,
    /// Other names under which to look for a tensor that is not there by its own.
    pub(super) others: Vec<OtherName>,
}

/// A tensor that can be asked for.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) shape: Shape,
    pub(super) holds: Holds,
    /// Its bytes in the source.
    pub(super) size: u64,
    /// Its name in the source.
    pub(super) stored: String,
    /// Which of the files has it.
    pub(super) file: usize,
    /// Its rows, in order, if not those of the source.
    pub(super) rows: Option<Arc<[usize]>>,
}

pub(super) enum Source {
    Files(Vec<File>),
    Memory(HashMap<String, Tensor>),
}

/// The tensors of all files by their names; `chosen` says which of two files that have a name is meant.
pub(super) fn index(files: &[File], chosen: impl Fn(&str) -> Option<usize>) -> Result<BTreeMap<String, Entry>> {
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
pub(super) fn tensors_of(files: &[File], number: usize) -> impl Iterator<Item = (String, Entry)> {
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

impl Entry {
    /// The first dimension.
    pub(super) fn row_count(&self) -> usize {
        self.shape.dims().first().copied().unwrap_or(0)
    }

    /// Parts of so many rows, from the first on.
    pub(super) fn divided(&self, parts: Vec<(String, usize)>) -> Vec<(String, Entry)> {
        let mut start = 0;
        let mut part = |(name, rows): (String, usize)| {
            let order = |at: usize| self.rows.as_ref().map_or(at, |rows| rows[at]);
            let chosen = (start..start + rows).map(order).collect();
            start += rows;
            let mut dims = self.shape.dims().to_vec();
            dims.iter_mut().take(1).for_each(|first| *first = rows);
            let size = self.size / self.row_count().max(1) as u64 * rows as u64;
            (name, Entry { shape: dims.into(), size, rows: Some(chosen), ..self.clone() })
        };
        parts.into_iter().map(&mut part).collect()
    }
}

impl Tensors {
    /// The tensor that is asked for as `name`, with the name that it has.
    pub(super) fn find(&self, name: &str) -> Option<(&str, &Entry)> {
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
    pub(super) fn size(&self) -> u64 {
        self.index.values().map(|entry| entry.size).sum()
    }

    pub(super) fn read(&self, entry: &Entry, dtype: DType, device: &Device) -> Result<Tensor> {
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

    /// A quantized tensor, as it is stored.
    pub(super) fn quantized(&self, entry: &Entry, device: &Device) -> Result<QTensor> {
        match &*self.source {
            Source::Files(files) => files[entry.file].quantized(&entry.stored, entry.rows.as_deref(), device),
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
