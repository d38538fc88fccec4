//! Files of tensors: inputs from them, and what a run gave into one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use safetensors::{Dtype, SafeTensors};

use super::array::{Array, Element};
use crate::failure::{Failure, Outcome};

/// A safetensors file in memory.
pub(super) struct File<'p> {
    path: &'p Path,
    bytes: Vec<u8>,
}

impl<'p> File<'p> {
    pub(super) fn open(path: &'p Path) -> Outcome<Self> {
        let bytes = std::fs::read(path);
        let bytes = bytes.map_err(|error| Failure::file(format!("cannot read `{}`: {error}", path.display())))?;
        let file = Self { path, bytes };
        file.tensors()?;
        Ok(file)
    }

    fn tensors(&self) -> Outcome<SafeTensors<'_>> {
        SafeTensors::deserialize(&self.bytes).map_err(|error| {
            Failure::file(format!("`{}` is damaged, or not a safetensors file: {error}", self.path.display()))
        })
    }

    pub(super) fn names(&self) -> Outcome<Vec<String>> {
        let mut names: Vec<_> = self.tensors()?.names().into_iter().map(str::to_owned).collect();
        names.sort();
        Ok(names)
    }

    pub(super) fn array(&self, name: &str) -> Outcome<Array> {
        let fault = |why: &str| Failure::file(format!("`{name}` of `{}` {why}", self.path.display()));
        let tensors = self.tensors()?;
        let view = tensors.tensor(name).map_err(|error| fault(&format!("cannot be read: {error}")))?;
        let element = match view.dtype() {
            Dtype::BOOL => Element::Bool,
            Dtype::U8 => Element::U8,
            Dtype::I8 => Element::I8,
            Dtype::U16 => Element::U16,
            Dtype::I16 => Element::I16,
            Dtype::U32 => Element::U32,
            Dtype::I32 => Element::I32,
            Dtype::U64 => Element::U64,
            Dtype::I64 => Element::I64,
            Dtype::F16 => Element::F16,
            Dtype::BF16 => Element::BF16,
            Dtype::F32 => Element::F32,
            Dtype::F64 => Element::F64,
            other => return Err(fault(&format!("is of the type {other:?}, which no model takes"))),
        };
        element.array(view.data(), view.shape()).map_err(|why| fault(&why))
    }
}

/// That there is a folder for a file, before there is a long run.
pub(super) fn check_place(path: &Path) -> Outcome<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Failure::usage(format!("there is no folder `{}` to save into", folder.display())));
    }
    if path.is_dir() || path.file_name().is_none() {
        return Err(Failure::usage(format!("`{}` is a folder; name the file to save, in it", path.display())));
    }
    Ok(())
}

/// Writes tensors by name. The file is there whole or not at all.
pub(super) fn save(path: &Path, tensors: &HashMap<String, Tensor>) -> Outcome<()> {
    let mut part: PathBuf = path.to_owned();
    part.as_mut_os_string().push(".part");
    let written = candle_core::safetensors::save(tensors, &part).and_then(|()| Ok(std::fs::rename(&part, path)?));
    written.map_err(|error| {
        // Half a file is of no use.
        let _ = std::fs::remove_file(&part);
        Failure::run(format!("cannot write `{}`: {error}", path.display()))
    })
}
