//! A SavedModel directory out of one message, so that one input is all of it.

use std::path::PathBuf;

use crate::message::{Field, Value, bytes, parse, put_varint, varint, write};
use crate::table::{masked, table};

/// `saved_model.pb`.
const GRAPH: u64 = 1;
/// A key of the index and its value: fields 1 and 2 of a message.
const ENTRY: u64 = 2;
/// What the one file of data has.
const DATA: u64 = 3;
/// The tree of the objects in a checkpoint, which is a string among its data.
const OBJECTS: u64 = 4;
const OBJECTS_KEY: &[u8] = b"_CHECKPOINTABLE_OBJECT_GRAPH";

/// The files of a model: the graph, the index if there is one, and the data.
pub struct Files {
    pub graph: Vec<u8>,
    pub index: Option<Vec<u8>>,
    pub data: Vec<u8>,
}

fn raw(value: &Value) -> Vec<u8> {
    match value {
        Value::Bytes(bytes) => bytes.clone(),
        Value::Message(fields) => write(fields),
        _ => Vec::new(),
    }
}

impl Files {
    /// The files that an input stands for. Its index is a table whose checksums hold, and those of tensors are left out of
    /// every entry.
    pub fn of(input: &[u8]) -> Option<Self> {
        let mut files = Files { graph: Vec::new(), index: None, data: Vec::new() };
        let mut entries = Vec::new();
        let mut objects = None;
        for Field { number, value } in parse(input)? {
            match (number, value) {
                (GRAPH, value) => files.graph = raw(&value),
                (ENTRY, Value::Message(entry)) => {
                    let part =
                        |number| entry.iter().find(|f| f.number == number).map(|f| raw(&f.value)).unwrap_or_default();
                    entries.push((part(1), without_checksum(&part(2))));
                }
                (DATA, value) => files.data = raw(&value),
                (OBJECTS, value) => objects = Some(raw(&value)),
                _ => {}
            }
        }
        if let Some(objects) = objects {
            let first = files.data.len();
            put_varint(&mut files.data, objects.len() as u64);
            files.data.extend(masked(&(objects.len() as u32).to_le_bytes()).to_le_bytes());
            files.data.extend(objects);
            let number = |number, value: usize| Field { number, value: Value::Varint(value as u64) };
            let entry = [number(1, 7), number(4, first), number(5, files.data.len() - first)];
            entries.push((OBJECTS_KEY.to_vec(), write(&entry)));
        }
        if !entries.is_empty() {
            files.index = Some(table(entries));
        }
        Some(files)
    }

    pub fn size(&self) -> usize {
        self.graph.len() + self.data.len() + self.index.as_ref().map_or(0, Vec::len)
    }

    /// Writes them to a directory of this process, which is used again.
    pub fn write(&self) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("taper-saved-fuzz-{}", std::process::id()));
        let variables = directory.join("variables");
        std::fs::create_dir_all(&variables).expect("the temporary directory can be written to");
        let write = |name: &str, bytes: &[u8]| std::fs::write(directory.join(name), bytes).expect("there is room");
        write("saved_model.pb", &self.graph);
        write("variables/variables.data-00000-of-00001", &self.data);
        match &self.index {
            Some(index) => write("variables/variables.index", index),
            None => drop(std::fs::remove_file(variables.join("variables.index"))),
        }
        directory
    }
}

/// An entry without the checksum of its tensor, which nobody could keep right.
fn without_checksum(entry: &[u8]) -> Vec<u8> {
    match parse(entry) {
        Some(fields) => write(&fields.into_iter().filter(|field| field.number != 6).collect::<Vec<_>>()),
        None => entry.to_vec(),
    }
}

/// The input that stands for these files. `None` for an index that is none.
pub fn input(graph: Vec<u8>, index: Option<&[u8]>, data: &[u8]) -> Option<Vec<u8>> {
    let mut fields = vec![bytes(GRAPH, graph)];
    let mut data = data.to_vec();
    if let Some(index) = index {
        for (key, value) in entries(index)? {
            if key == OBJECTS_KEY {
                // It stands at the end.
                let entry = parse(&value)?;
                let number = |number| entry.iter().find(|f| f.number == number).map(|f| f.value.clone());
                let offset = match number(4) {
                    Some(Value::Varint(offset)) => offset as usize,
                    _ => 0,
                };
                let mut rest = data.get(offset..)?;
                let len = varint(&mut rest)? as usize;
                fields.push(bytes(OBJECTS, rest.get(4..4 + len)?));
                data.truncate(offset);
            } else {
                fields.push(Field { number: ENTRY, value: Value::Message(vec![bytes(1, key), bytes(2, value)]) });
            }
        }
        fields.push(bytes(DATA, data));
    }
    Some(write(&fields))
}

/// Key and value.
type Entry = (Vec<u8>, Vec<u8>);

/// The entries of a table.
fn entries(file: &[u8]) -> Option<Vec<Entry>> {
    let mut rest = &file[file.len().checked_sub(48)?..];
    (varint(&mut rest)?, varint(&mut rest)?);
    let mut all = Vec::new();
    for (_, handle) in block(file, &mut rest)? {
        all.extend(block(file, &mut &handle[..])?);
    }
    Some(all)
}

fn block(file: &[u8], handle: &mut &[u8]) -> Option<Vec<Entry>> {
    let first = varint(handle)? as usize;
    let bytes = file.get(first..first + varint(handle)? as usize)?;
    let restarts = u32::from_le_bytes(*bytes.last_chunk::<4>()?) as usize;
    let mut rest = &bytes[..bytes.len().checked_sub(4 + 4 * restarts)?];
    let (mut key, mut entries) = (Vec::new(), Vec::new());
    while !rest.is_empty() {
        let [shared, own, value] = [varint(&mut rest)?, varint(&mut rest)?, varint(&mut rest)?];
        key.truncate(shared as usize);
        key.extend(&rest[..own as usize]);
        rest = &rest[own as usize..];
        entries.push((key.clone(), rest[..value as usize].to_vec()));
        rest = &rest[value as usize..];
    }
    Some(entries)
}
