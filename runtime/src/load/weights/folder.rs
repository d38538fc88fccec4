//! A folder of weights, whole or in shards.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path};

use candle_core::bail;
use serde_json::Value;

use super::file::{File, Kind};
use super::{Entry, index};
use crate::{Error, Result};

/// What is looked for, in this order; each may be divided among files that `NAME.index.json` lists.
const NAMES: [(&str, Kind); 2] = [("model.safetensors", Kind::Safetensors), ("pytorch_model.bin", Kind::PyTorch)];

/// The files, and their tensors by name.
pub(super) fn open(dir: &Path) -> Result<(Vec<File>, BTreeMap<String, Entry>)> {
    for (name, kind) in NAMES {
        let whole = dir.join(name);
        if whole.is_file() {
            let files = vec![File::open(&whole, kind)?];
            let index = index(&files, |_| None)?;
            return Ok((files, index));
        }
        let list = dir.join(format!("{name}.index.json"));
        if list.is_file() {
            return sharded(dir, &list, kind);
        }
    }
    let unreadable = |error| Error::Msg(format!("cannot read the folder `{}`: {error}", dir.display()));
    let mut there = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        there.push(entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned());
    }
    there.retain(|name| [".safetensors", ".bin", ".gguf", ".h5", ".msgpack"].iter().any(|end| name.ends_with(end)));
    there.sort();
    let there = match there.as_slice() {
        [] => "no file of weights".to_owned(),
        names => format!("`{}`, which is not looked for", names.join("`, `")),
    };
    let [(safetensors, _), (pytorch, _)] = NAMES;
    bail!(
        "`{}` has neither `{safetensors}` nor `{pytorch}`, nor an index of either (`{safetensors}.index.json`); there is \
         {there}",
        dir.display()
    )
}

/// The files that an index lists, and their tensors by name.
pub(super) fn open_index(list: &Path) -> Result<(Vec<File>, BTreeMap<String, Entry>)> {
    let name = list.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let kind = if name.ends_with(".bin.index.json") { Kind::PyTorch } else { Kind::Safetensors };
    sharded(list.parent().unwrap_or(Path::new("")), list, kind)
}

fn sharded(dir: &Path, list: &Path, kind: Kind) -> Result<(Vec<File>, BTreeMap<String, Entry>)> {
    let fault = |what: String| Error::Msg(format!("`{}` {what}", list.display()));
    let json = fs::read(list).map_err(|error| fault(format!("cannot be read: {error}")))?;
    let json: Value = serde_json::from_slice(&json).map_err(|error| fault(format!("is not JSON: {error}")))?;
    let Some(map) = json.get("weight_map").and_then(Value::as_object) else {
        return Err(fault("has no field `weight_map` that says which file has which tensor".to_owned()));
    };
    let mut shards: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, shard) in map {
        let Some(shard) = shard.as_str() else {
            return Err(fault(format!("names no file for `weight_map.{name}`, but {shard}")));
        };
        shards.entry(shard).or_default().push(name);
    }
    if shards.is_empty() {
        return Err(fault("lists no tensors in its field `weight_map`".to_owned()));
    }
    let mut files = Vec::new();
    for (shard, names) in &shards {
        // An index that was got from somewhere names files of its own folder and no others.
        if Path::new(shard).components().any(|part| !matches!(part, Component::Normal(_))) {
            return Err(fault(format!("names `{shard}`, which is not a file below its folder")));
        }
        let path = dir.join(shard);
        let first = names.first().copied().unwrap_or_default();
        if !path.is_file() {
            let count = names.len();
            return Err(fault(format!(
                "names the shard `{shard}` ({count} tensors, the first of them `{first}`), which is not there; get it too"
            )));
        }
        let file = File::open(&path, kind)?;
        if let Some(lacking) = names.iter().find(|name| !file.tensors.contains_key(**name)) {
            return Err(fault(format!("says that `{lacking}` is in `{shard}`, which does not have it")));
        }
        files.push(file);
    }
    let number = |name: &str| shards.keys().position(|shard| Some(*shard) == map.get(name).and_then(Value::as_str));
    let index = index(&files, number)?;
    Ok((files, index))
}
