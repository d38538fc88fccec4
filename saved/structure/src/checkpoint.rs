//! A checkpoint: an index of tensors by key, and the files that hold them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::crc;
use crate::limits::READ_TIMES;
use crate::proto::{BundleEntry, BundleHeader, varint};
use crate::slices::{self, Slice};
use crate::table::Table;
use crate::{Error, Result};

/// How much of a file is in memory beside the tensor that is made of it.
const PART: usize = 1 << 16;

/// The key of the tree of the saved objects.
const OBJECTS: &str = "_CHECKPOINTABLE_OBJECT_GRAPH";

/// A checkpoint whose tensors are read when they are asked for.
#[derive(Debug)]
pub struct Checkpoint {
    /// The path of its files as far as it is common to them.
    prefix: PathBuf,
    table: Table,
    shards: i64,
    /// How many bytes of each file have been read.
    read: RefCell<HashMap<i64, u64>>,
}

/// The bytes of a file. What is no file, such as a device, may have no end.
pub(crate) fn contents(path: &Path) -> Result<Vec<u8>> {
    regular(path)?;
    Ok(std::fs::read(path)?)
}

fn regular(path: &Path) -> Result<()> {
    match std::fs::metadata(path)?.is_file() {
        true => Ok(()),
        false => Err(Error::Msg("it is no file".to_owned())),
    }
}

impl Checkpoint {
    /// Opens `PREFIX.index`.
    ///
    /// # Errors
    /// A file that is missing or damaged.
    pub fn open(prefix: &Path) -> Result<Self> {
        let index = with(prefix, ".index");
        let read = || {
            let table = Table::new(contents(&index)?)?;
            let header = table.get(b"").ok_or_else(|| Error::Msg("it has no header".to_owned()))?;
            let header = BundleHeader::parse(header)?;
            if header.big_endian {
                return Err(Error::Msg("its numbers are big-endian; save it on a little-endian machine".to_owned()));
            }
            Ok(Checkpoint { prefix: prefix.to_owned(), table, shards: header.shards, read: RefCell::default() })
        };
        read().map_err(|error: Error| error.of_weights(&index))
    }

    /// What is wrong with the index.
    pub fn damaged(&self, why: impl fmt::Display) -> Error {
        Error::wrap(why).of_weights(&with(&self.prefix, ".index"))
    }

    fn find(&self, key: &str) -> Result<Option<BundleEntry>> {
        let entry = self.table.get(key.as_bytes()).map(BundleEntry::parse).transpose();
        entry.map_err(|error| self.damaged(format!("the entry of `{key}`: {error}")))
    }

    /// Where the tensor of a key is.
    ///
    /// # Errors
    /// There is none, or its entry can't be read.
    pub fn entry(&self, key: &str) -> Result<BundleEntry> {
        let missing = || Error::File(format!("the checkpoint `{}` has no tensor `{key}`", self.prefix.display()));
        self.find(key)?.ok_or_else(missing)
    }

    /// Whether there is a tensor of a key.
    pub fn has(&self, key: &str) -> bool {
        self.table.get(key.as_bytes()).is_some()
    }

    /// The keys, in order.
    ///
    /// # Errors
    /// An index that is damaged.
    pub fn keys(&self, mut f: impl FnMut(&str)) -> Result<()> {
        self.table.each(|key, _| {
            if let Ok(key) = std::str::from_utf8(key)
                && !key.is_empty()
            {
                f(key);
            }
            Ok(())
        })
    }

    /// The entries with their keys, in order, those of the parts left out that a tensor is saved in.
    pub(crate) fn entries(&self, mut f: impl FnMut(&str, BundleEntry) -> Result<()>) -> Result<()> {
        self.table.each(|key, value| {
            // The header has no key, and a part one that begins with a zero.
            if key.first().is_none_or(|first| *first == 0) {
                return Ok(());
            }
            f(&String::from_utf8_lossy(key), BundleEntry::parse(value).map_err(|error| self.damaged(error))?)
        })
    }

    /// The entry of one of the parts that a tensor is saved in.
    ///
    /// # Errors
    /// There is none, or it can't be read.
    pub fn part(&self, key: &str, slice: &Slice) -> Result<BundleEntry> {
        let found = self.table.get(&slices::key(key, slice));
        let missing = || self.damaged(format!("`{key}` is saved in slices, and that of {slice:?} is not there"));
        BundleEntry::parse(found.ok_or_else(missing)?).map_err(|error| self.damaged(error))
    }

    /// Calls `f` with the bytes of a tensor, part by part, once they are known to be in the file; compares the checksum.
    ///
    /// # Errors
    /// A file that is missing or cut off, a checksum that does not hold, and those of `f`.
    pub fn parts(&self, entry: &BundleEntry, mut f: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        if !(0..self.shards).contains(&entry.shard) {
            return Err(self.damaged(format!("a tensor is in file {} of {}", entry.shard, self.shards)));
        }
        let path = self.file(entry.shard);
        // What whoever reads makes of the bytes says nothing of the file.
        let mut others = None;
        let mut read = || {
            regular(&path)?;
            let mut file = File::open(&path)?;
            let len = file.metadata()?.len();
            let range = || {
                let (offset, size) = (u64::try_from(entry.offset).ok()?, u64::try_from(entry.size).ok()?);
                (offset.checked_add(size)? <= len).then_some((offset, size))
            };
            let Some((offset, mut left)) = range() else {
                return Err(Error::Msg(format!(
                    "{} bytes at {} are wanted, and the file has {len}: it is cut off",
                    entry.size, entry.offset
                )));
            };
            let mut read = self.read.borrow_mut();
            let read = read.entry(entry.shard).or_default();
            *read = read.saturating_add(left);
            if *read > len.saturating_mul(READ_TIMES) {
                return Err(Error::Msg(format!(
                    "its tensors lie over each other: they are {READ_TIMES} times its {len} bytes"
                )));
            }
            file.seek(SeekFrom::Start(offset))?;
            let mut buffer = [0; PART];
            let mut crc = 0;
            while left > 0 {
                let part = &mut buffer[..usize::try_from(left).map_or(PART, |left| left.min(PART))];
                file.read_exact(part)?;
                crc = crc::extend(crc, part);
                left -= part.len() as u64;
                if let Err(error) = f(part) {
                    others = Some(error);
                    return Ok(());
                }
            }
            match entry.crc {
                Some(expected) if expected != crc::masked(crc) => {
                    Err(Error::Msg(format!("the checksum of the {} bytes at {offset} does not hold", entry.size)))
                }
                _ => Ok(()),
            }
        };
        read().map_err(|error: Error| error.of_weights(&path))?;
        others.map_or(Ok(()), Err)
    }

    /// The tree of the saved objects, a `TrackableObjectGraph`: a string among the tensors.
    ///
    /// # Errors
    /// A string that is damaged.
    pub fn objects(&self) -> Result<Option<Vec<u8>>> {
        let Some(entry) = self.find(OBJECTS)? else { return Ok(None) };
        self.strings(OBJECTS, &entry, 1).map(Some)
    }

    /// The strings of a tensor, one behind the other.
    ///
    /// # Errors
    /// As [`parts`](Self::parts).
    pub(crate) fn strings(&self, key: &str, entry: &BundleEntry, count: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        // Its checksum is not that of the bytes as they stand.
        let plain = BundleEntry { crc: None, ..entry.clone() };
        self.parts(&plain, |part| {
            bytes.extend_from_slice(part);
            Ok(())
        })?;
        let path = self.file(entry.shard);
        strings(&bytes, count, entry.crc)
            .map_err(|error| Error::wrap(format!("`{key}` is damaged: {error}")).of_weights(&path))
    }

    fn file(&self, shard: i64) -> PathBuf {
        with(&self.prefix, &format!(".data-{shard:05}-of-{:05}", self.shards))
    }
}

/// The strings of a tensor: their lengths, the checksum of those, and their bytes. The checksum of all is of the lengths as
/// plain numbers, not as they are written.
fn strings(bytes: &[u8], count: usize, crc: Option<u32>) -> Result<Vec<u8>> {
    let wrong = || Error::Msg("it is no text, or its checksum does not hold".to_owned());
    let mut rest = bytes;
    let (mut all, mut of_lengths) = (0u64, 0);
    for _ in 0..count {
        let len = varint(&mut rest)?;
        all = all.checked_add(len).ok_or_else(wrong)?;
        of_lengths = match u32::try_from(len) {
            Ok(len) => crc::extend(of_lengths, &len.to_le_bytes()),
            Err(_) => crc::extend(of_lengths, &len.to_le_bytes()),
        };
    }
    let (stored, text) = rest.split_first_chunk::<4>().ok_or_else(wrong)?;
    let of_all = crc::extend(crc::extend(of_lengths, stored), text);
    let holds =
        crc::masked(of_lengths) == u32::from_le_bytes(*stored) && crc.is_none_or(|crc| crc == crc::masked(of_all));
    match text.len() as u64 == all && holds {
        true => Ok(text.to_vec()),
        false => Err(wrong()),
    }
}

fn with(prefix: &Path, suffix: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}
