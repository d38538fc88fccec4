//! The zip that `torch.save` writes since PyTorch 1.6.

use std::io::{BufReader, Cursor, Read};

use candle_core::pickle::Object;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::{Result, Storages, unpickled};

/// The pickled object and where the storages are, by their keys.
pub(super) fn read(bytes: &[u8]) -> Result<(Object, Storages)> {
    let damaged = |error: ZipError| format!("is cut short or damaged: its zip cannot be read ({error}); get it again");
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let names: Vec<String> = zip
        .file_names()
        .map(|name| name.map(|name| name.into_owned()))
        .collect::<std::result::Result<_, _>>()
        .map_err(damaged)?;
    let pickle = names.iter().find(|name| *name == "data.pkl" || name.ends_with("/data.pkl"));
    let Some(pickle) = pickle else {
        return Err("is a zip without a `data.pkl`, so not one that PyTorch's `torch.save` wrote".to_owned());
    };
    let folder = pickle.strip_suffix("data.pkl").unwrap_or_default();
    let object = unpickled(&mut BufReader::new(zip.by_name(pickle).map_err(damaged)?))?;
    let mut storages = Storages::new();
    for name in &names {
        let Some(key) = name.strip_prefix(folder) else { continue };
        let mut file = zip.by_name(name).map_err(damaged)?;
        if key == "byteorder" {
            let mut order = String::new();
            file.read_to_string(&mut order).map_err(|error| damaged(error.into()))?;
            if order != "little" {
                return Err(format!("holds numbers of `{order}` byte order; save it again on a little-endian machine"));
            }
        }
        let Some(key) = key.strip_prefix("data/") else { continue };
        if file.compression() != CompressionMethod::Stored {
            return Err("is a compressed zip; save it again by `torch.save`".to_owned());
        }
        let start = file.data_start().and_then(|start| usize::try_from(start).ok());
        let size = usize::try_from(file.size()).ok();
        let range = start.zip(size).and_then(|(start, size)| Some(start..start.checked_add(size)?));
        match range.filter(|range| range.end <= bytes.len()) {
            Some(range) => storages.insert(key.to_owned(), range),
            None => return Err(super::cut(key)),
        };
    }
    Ok((object, storages))
}
