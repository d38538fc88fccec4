//! A LevelDB table: sorted keys and their values in blocks with checksums. The index of a checkpoint is one.
//!
//! Keys are stored as what they do not share with the key before, so they are put together one after the other and never
//! kept: a small file could describe a great many long ones. What is kept of them is a hash, so that a great many can be
//! looked up.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::crc;
use crate::limits::KEY;
use crate::proto::varint;
use crate::{Error, Result};

const FOOTER: usize = 48;
const MAGIC: u64 = 0xdb47_7524_8b80_fb57;
/// Kind and checksum behind every block.
const TRAILER: usize = 5;

/// A whole table, its checksums compared.
#[derive(Debug)]
pub(crate) struct Table {
    file: Vec<u8>,
    /// The blocks of entries.
    blocks: Vec<Block>,
    /// First and last byte of values, by the hashes of their keys.
    values: HashMap<u64, (usize, usize)>,
    hashes: RandomState,
}

/// Where the entries of a block are.
#[derive(Clone, Copy, Debug)]
struct Block {
    first: usize,
    end: usize,
}

fn wrong(what: &str) -> Error {
    Error::Msg(format!("not a valid table: {what}"))
}

impl Table {
    pub(crate) fn new(file: Vec<u8>) -> Result<Self> {
        let Some((_, footer)) = file.split_last_chunk::<FOOTER>() else {
            return Err(wrong(&format!("{} bytes are too few", file.len())));
        };
        let (mut handles, magic) = footer.split_at(FOOTER - 8);
        if magic != MAGIC.to_le_bytes() {
            return Err(wrong("it does not end as tables do; it may be cut off"));
        }
        // The first is of a block of metadata, of which TensorFlow writes none.
        handle(&mut handles)?;
        let index = block(&file, handle(&mut handles)?)?;
        let mut places = entries(&file, index);
        let (mut blocks, mut left) = (Vec::new(), file.len());
        while let Some((_, mut place)) = places.next()? {
            let (offset, size) = handle(&mut place)?;
            // One that is told of again and again would be read as often.
            let size_of = usize::try_from(size).ok().and_then(|size| size.checked_add(TRAILER));
            left = size_of.and_then(|size| left.checked_sub(size)).ok_or_else(|| {
                wrong(&format!("with the block of {size} bytes at {offset} its blocks are larger than itself"))
            })?;
            blocks.push(block(&file, (offset, size))?);
        }
        let mut table = Table { values: HashMap::new(), hashes: RandomState::new(), blocks, file };
        table.values = table.found()?;
        Ok(table)
    }

    /// Where the values are.
    fn found(&self) -> Result<HashMap<u64, (usize, usize)>> {
        let mut values = HashMap::new();
        for block in &self.blocks {
            let mut entries = entries(&self.file, *block);
            while let Some((key, value)) = entries.next()? {
                let (hash, len) = (self.hashes.hash_one(key), value.len());
                let end = block.end - entries.rest.len();
                values.entry(hash).or_insert((end - len, end));
            }
        }
        Ok(values)
    }

    /// Calls `f` with every key and value, in order.
    pub(crate) fn each(&self, mut f: impl FnMut(&[u8], &[u8]) -> Result<()>) -> Result<()> {
        for block in &self.blocks {
            let mut entries = entries(&self.file, *block);
            while let Some((key, value)) = entries.next()? {
                f(key, value)?;
            }
        }
        Ok(())
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let (first, end) = *self.values.get(&self.hashes.hash_one(key))?;
        Some(&self.file[first..end])
    }
}

fn entries(file: &[u8], block: Block) -> Entries<'_> {
    Entries { rest: &file[block.first..block.end], key: Vec::new() }
}

/// Offset and size of a block.
fn handle(rest: &mut &[u8]) -> Result<(u64, u64)> {
    Ok((varint(rest)?, varint(rest)?))
}

/// The entries of the block there, if its checksum holds.
fn block(file: &[u8], (offset, size): (u64, u64)) -> Result<Block> {
    let beyond = || wrong(&format!("a block of {size} bytes at {offset}, and the file has {}", file.len()));
    let first = usize::try_from(offset).map_err(|_| beyond())?;
    let end = usize::try_from(size).ok().and_then(|size| first.checked_add(size)).ok_or_else(beyond)?;
    let trailer = end.checked_add(TRAILER).and_then(|after| file.get(end..after)).ok_or_else(beyond)?;
    let &[kind, a, b, c, d] = trailer else { return Err(beyond()) };
    // `first <= end`, and `end` lies in the file.
    if crc::masked(crc::extend(0, &file[first..=end])) != u32::from_le_bytes([a, b, c, d]) {
        return Err(wrong(&format!("the checksum of the block at {offset} does not hold: the file is damaged")));
    }
    if kind != 0 {
        return Err(wrong(&format!("the block at {offset} is compressed, which TensorFlow does not write")));
    }
    // At the end stand the offsets of the keys that are whole, and their number.
    let bytes = &file[first..end];
    let restarts = bytes.last_chunk::<4>().map(|count| u32::from_le_bytes(*count) as usize);
    let entries = restarts.and_then(|count| bytes.len().checked_sub(count.checked_mul(4)?.checked_add(4)?));
    let entries = entries.ok_or_else(|| wrong(&format!("the block at {offset} is shorter than its own index")))?;
    Ok(Block { first, end: first + entries })
}

/// The entries of a block.
struct Entries<'a> {
    rest: &'a [u8],
    key: Vec<u8>,
}

impl<'a> Entries<'a> {
    fn next(&mut self) -> Result<Option<(&[u8], &'a [u8])>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let [shared, own, value] = [varint(&mut self.rest)?, varint(&mut self.rest)?, varint(&mut self.rest)?];
        let shared = usize::try_from(shared).ok().filter(|shared| *shared <= self.key.len());
        let Some(shared) = shared else { return Err(wrong("a key shares more than the one before it has")) };
        let own = self.part(own)?;
        let value = self.part(value)?;
        if shared + own.len() > KEY {
            return Err(wrong(&format!("a key has more than {KEY} bytes")));
        }
        self.key.truncate(shared);
        self.key.extend_from_slice(own);
        Ok(Some((&self.key, value)))
    }

    fn part(&mut self, len: u64) -> Result<&'a [u8]> {
        let split = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len));
        let (part, rest) = split.ok_or_else(|| wrong("an entry goes beyond its block"))?;
        self.rest = rest;
        Ok(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(out: &mut Vec<u8>, mut number: u64) {
        while number >= 0x80 {
            out.push(number as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    }

    fn put_block(file: &mut Vec<u8>, entries: &[(usize, &str, Vec<u8>)]) -> (u64, u64) {
        let first = file.len();
        for (shared, own, value) in entries {
            put(file, *shared as u64);
            put(file, own.len() as u64);
            put(file, value.len() as u64);
            file.extend_from_slice(own.as_bytes());
            file.extend_from_slice(value);
        }
        file.extend_from_slice(&0u32.to_le_bytes());
        file.extend_from_slice(&1u32.to_le_bytes());
        let size = file.len() - first;
        file.push(0);
        let crc = crc::masked(crc::extend(0, &file[first..]));
        file.extend_from_slice(&crc.to_le_bytes());
        (first as u64, size as u64)
    }

    fn place((offset, size): (u64, u64)) -> Vec<u8> {
        let mut place = Vec::new();
        put(&mut place, offset);
        put(&mut place, size);
        place
    }

    /// The file with its footer.
    fn ended(mut file: Vec<u8>, meta: (u64, u64), index: (u64, u64)) -> Vec<u8> {
        let mut footer = [place(meta), place(index)].concat();
        footer.resize(FOOTER - 8, 0);
        file.extend(footer);
        file.extend(MAGIC.to_le_bytes());
        file
    }

    /// `""`, `ab`, `abc` in one block and `b` in another.
    fn file() -> Vec<u8> {
        let mut file = Vec::new();
        let one = put_block(&mut file, &[(0, "", vec![1]), (0, "ab", vec![2]), (2, "c", vec![3, 3])]);
        let two = put_block(&mut file, &[(0, "b", vec![4])]);
        let meta = put_block(&mut file, &[]);
        let index = put_block(&mut file, &[(0, "abc", place(one)), (0, "c", place(two))]);
        ended(file, meta, index)
    }

    #[test]
    fn keys_are_found() {
        let table = Table::new(file()).unwrap();
        assert_eq!(table.get(b""), Some(&[1][..]));
        assert_eq!(table.get(b"abc"), Some(&[3, 3][..]));
        assert_eq!(table.get(b"b"), Some(&[4][..]));
        assert_eq!(table.get(b"a"), None);
        assert_eq!(table.get(b"z"), None);
        let mut keys = Vec::new();
        let mut keep = |key: &[u8]| keys.push(String::from_utf8_lossy(key).into_owned());
        table
            .each(|key, _| {
                keep(key);
                Ok(())
            })
            .unwrap();
        assert_eq!(keys, ["", "ab", "abc", "b"]);
    }

    /// With one block of values, which the index has a hundred times, and keys of some length.
    fn file_of(times: usize, key: &str) -> Vec<u8> {
        let mut file = Vec::new();
        let one = put_block(&mut file, &[(0, key, vec![7; 500])]);
        let meta = put_block(&mut file, &[]);
        let places: Vec<_> = (0..times).map(|_| (0, "z", place(one))).collect();
        let index = put_block(&mut file, &places);
        ended(file, meta, index)
    }

    #[test]
    fn a_block_that_is_told_of_again_and_again_is_an_error() {
        assert_eq!(Table::new(file_of(1, "a")).unwrap().get(b"a"), Some(&[7; 500][..]));
        let error = Table::new(file_of(100, "a")).unwrap_err().to_string();
        assert!(error.contains("blocks are larger than itself"), "{error}");
    }

    #[test]
    fn a_key_that_is_too_long_is_an_error() {
        assert!(Table::new(file_of(1, &"a".repeat(KEY))).is_ok());
        let error = Table::new(file_of(1, &"a".repeat(KEY + 1))).unwrap_err().to_string();
        assert!(error.contains("more than 16384 bytes"), "{error}");
    }

    #[test]
    fn a_file_that_is_cut_off_is_an_error() {
        let file = file();
        for len in 0..file.len() {
            assert!(Table::new(file[..len].to_vec()).is_err(), "{len} bytes");
        }
    }

    /// Every bit of a block, its kind and its checksum is under a checksum or is one.
    #[test]
    fn a_flipped_bit_is_an_error_or_changes_nothing_that_is_read() {
        let whole = file();
        for bit in 0..whole.len() * 8 {
            let mut file = whole.clone();
            file[bit / 8] ^= 1 << (bit % 8);
            if let Ok(table) = Table::new(file) {
                assert_eq!(table.get(b"abc"), Some(&[3, 3][..]), "bit {bit}");
                assert_eq!(table.get(b"b"), Some(&[4][..]), "bit {bit}");
            }
        }
    }
}
