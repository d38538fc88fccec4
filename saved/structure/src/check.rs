//! Whether the weights are whole: every tensor of a checkpoint, whether a signature reads it or not.

use std::path::Path;

use crate::Result;
use crate::checkpoint::Checkpoint;
use crate::dtype::Type;
use crate::proto::BundleEntry;

/// Text, and what is saved as messages: their checksums are not those of the bytes as they stand.
const STRING: i64 = 7;
const VARIANT: i64 = 21;

/// What came of reading the weights of a SavedModel directory.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    tensors: usize,
    bytes: u64,
    damaged: Vec<(String, String)>,
}

impl Checked {
    /// How many tensors were read.
    pub fn tensors(&self) -> usize {
        self.tensors
    }

    /// How many bytes they are.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The tensors that can't be read whole: the key of each in the checkpoint, and why.
    pub fn damaged(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.damaged.iter().map(|(key, why)| (key.as_str(), why.as_str()))
    }
}

/// Reads every tensor in the weights of a SavedModel directory, and compares its checksum. A directory without weights has
/// none that are damaged.
///
/// # Errors
/// An index of the weights that can't be read.
pub fn check(path: &Path) -> Result<Checked> {
    let prefix = path.join("variables").join("variables");
    let mut checked = Checked::default();
    if !prefix.with_extension("index").exists() {
        return Ok(checked);
    }
    let checkpoint = Checkpoint::open(&prefix)?;
    checkpoint.entries(|key, entry| {
        let mut parts: Vec<_> = entry.slices.iter().map(|slice| checkpoint.part(key, slice)).collect();
        if parts.is_empty() {
            parts.push(Ok(entry));
        }
        checked.tensors += 1;
        for part in parts {
            let whole = part.and_then(|part| {
                checked.bytes = checked.bytes.saturating_add(u64::try_from(part.size).unwrap_or(0));
                whole(&checkpoint, key, &part)
            });
            if let Err(error) = whole {
                checked.damaged.push((key.to_owned(), error.to_string()));
            }
        }
        Ok(())
    })?;
    Ok(checked)
}

/// That a tensor, or a part of one, is what its entry says.
fn whole(checkpoint: &Checkpoint, key: &str, entry: &BundleEntry) -> Result<()> {
    let ty = Type::of(entry.dtype);
    let count: usize = entry.shape.known().map_err(|error| checkpoint.damaged(error))?.iter().product();
    if let Some(size) = ty.size()
        && size.checked_mul(count) != usize::try_from(entry.size).ok()
    {
        return Err(checkpoint.damaged(format!("`{key}` has {} bytes for {count} values of type {ty}", entry.size)));
    }
    match ty.0 {
        STRING => checkpoint.strings(key, entry, count).map(|_| ()),
        VARIANT => checkpoint.parts(&BundleEntry { crc: None, ..entry.clone() }, |_| Ok(())),
        _ => checkpoint.parts(entry, |_| Ok(())),
    }
}
