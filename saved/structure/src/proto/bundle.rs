//! What the index of a checkpoint says: `BundleHeaderProto`, `BundleEntryProto`, and the tree of the saved objects.

use super::objects::child;
use super::tensor::Shape;
use super::wire::{Value, fields};
use crate::Result;
use crate::slices::Slice;

/// How many files the tensors are in, and the order of their bytes.
#[derive(Debug, Default)]
pub struct BundleHeader {
    pub shards: i64,
    pub big_endian: bool,
}

impl BundleHeader {
    pub fn parse(message: &[u8]) -> Result<Self> {
        let mut header = BundleHeader::default();
        for field in fields(message) {
            match field? {
                (1, v) => header.shards = v.int()?,
                (2, v) => header.big_endian = v.number()? != 0,
                _ => {}
            }
        }
        Ok(header)
    }
}

/// Where a tensor is.
#[derive(Clone, Debug, Default)]
pub struct BundleEntry {
    pub dtype: i64,
    pub shape: Shape,
    pub shard: i64,
    pub offset: i64,
    pub size: i64,
    /// Masked checksum of the bytes.
    pub crc: Option<u32>,
    /// The parts that it is saved in, of which each has its own entry.
    pub slices: Vec<Slice>,
}

impl BundleEntry {
    pub fn parse(message: &[u8]) -> Result<Self> {
        let mut entry = BundleEntry { shape: Shape(Some(Vec::new())), ..BundleEntry::default() };
        for field in fields(message) {
            let (number, value) = field?;
            match number {
                1 => entry.dtype = value.int()?,
                2 => entry.shape = Shape::parse(value.bytes()?)?,
                3 => entry.shard = value.int()?,
                4 => entry.offset = value.int()?,
                5 => entry.size = value.int()?,
                6 => {
                    if let Value::Fixed32(crc) = value {
                        entry.crc = Some(crc);
                    }
                }
                7 => entry.slices.push(slice(value.bytes()?)?),
                _ => {}
            }
        }
        Ok(entry)
    }
}

/// First element and number of elements along every axis.
fn slice(message: &[u8]) -> Result<Slice> {
    let mut slice = Slice::new();
    for field in fields(message) {
        if let (1, v) = field? {
            let (mut first, mut len) = (0, -1);
            for field in fields(v.bytes()?) {
                match field? {
                    (1, v) => first = v.int()?,
                    (2, v) => len = v.int()?,
                    _ => {}
                }
            }
            slice.push((first, len));
        }
    }
    Ok(slice)
}

/// An object of a checkpoint.
#[derive(Debug, Default)]
pub struct CheckpointObject<'a> {
    /// Number and name of those that it holds.
    pub children: Vec<(i64, &'a str)>,
    /// Name of a part, such as `VARIABLE_VALUE`, and the key of its tensor.
    pub keys: Vec<(&'a str, &'a str)>,
}

/// The objects of a checkpoint, by number: a `TrackableObjectGraph`.
pub fn checkpoint_objects(message: &[u8]) -> Result<Vec<CheckpointObject<'_>>> {
    let mut objects = Vec::new();
    for field in fields(message) {
        if let (1, v) = field? {
            objects.push(CheckpointObject::parse(v.bytes()?)?);
        }
    }
    Ok(objects)
}

impl<'a> CheckpointObject<'a> {
    fn parse(message: &'a [u8]) -> Result<Self> {
        let mut object = CheckpointObject::default();
        for field in fields(message) {
            match field? {
                (1, v) => object.children.push(child(v.bytes()?)?),
                (2, v) => {
                    let (mut name, mut key) = ("", "");
                    for field in fields(v.bytes()?) {
                        match field? {
                            (1, v) => name = v.text()?,
                            (3, v) => key = v.text()?,
                            _ => {}
                        }
                    }
                    object.keys.push((name, key));
                }
                _ => {}
            }
        }
        Ok(object)
    }
}
