//! `taper inspect`: what is in a file or folder.

mod gguf;
mod saved;
mod weights;

use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use taper::{Gguf, Weights};

use crate::arguments::Inspect;
use crate::failure::{Failure, Outcome};

pub(crate) fn inspect(arguments: &Inspect, out: &mut impl Write) -> Outcome<()> {
    let path = &arguments.path;
    if is_saved_model(path) {
        return saved::inspect(arguments, out);
    }
    if arguments.signature.is_some() || arguments.tensors || arguments.check {
        let path = path.display();
        return Err(Failure::usage(format!(
            "`--signature`, `--tensors` and `--check` are for SavedModels, which `{path}` is not"
        )));
    }
    let (kind, weights, metadata) = open(path)?;
    weights::inspect(arguments, kind, &weights, &metadata, out)
}

fn is_saved_model(path: &Path) -> bool {
    ["saved_model.pb", "saved_model.pbtxt", "variables"].iter().any(|name| path.join(name).exists())
}

/// What is said of a model beside its tensors.
type Metadata = Vec<(String, serde_json::Value)>;

fn open(path: &Path) -> Outcome<(&'static str, Weights, Metadata)> {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let ends = |end: &str| name.ends_with(end);
    // What the tensors would become is of no matter: none is loaded.
    let (dtype, device) = (DType::F32, Device::Cpu);
    if path.is_dir() {
        return of_folder(path);
    }
    if let Err(error) = std::fs::metadata(path) {
        return Err(Failure::file(format!("cannot read `{}`: {error}", path.display())));
    }
    match () {
        () if ends(".gguf") => {
            let file = Gguf::open(path).map_err(Failure::file)?;
            let metadata = gguf::metadata(file.metadata());
            Ok(("gguf", file.weights(dtype, &device), metadata))
        }
        () if ends(".index.json") => {
            let kind = if ends(".bin.index.json") { "pytorch" } else { "safetensors" };
            with_metadata(kind, Weights::index(path, dtype, &device))
        }
        () if ends(".safetensors") => with_metadata("safetensors", Weights::safetensors([path], dtype, &device)),
        () if [".bin", ".pt", ".pth"].iter().any(|end| ends(end)) => {
            with_metadata("pytorch", Weights::pytorch([path], dtype, &device))
        }
        () if ends(".pb") => Err(Failure::file(format!(
            "`{}` is one file of a SavedModel; name the folder that it is in",
            path.display()
        ))),
        () => Err(Failure::file(format!(
            "`{}` is of no kind that is known: a SavedModel directory, `.safetensors`, its `.index.json`, `.gguf`, PyTorch's \
             `.bin` or `.pt`",
            path.display()
        ))),
    }
}

fn with_metadata(
    kind: &'static str,
    weights: candle_core::Result<Weights>,
) -> Outcome<(&'static str, Weights, Metadata)> {
    let weights = weights.map_err(Failure::file)?;
    let metadata = weights.metadata().into_iter().map(|(key, value)| (key, value.into())).collect();
    Ok((kind, weights, metadata))
}

/// The weights of a folder as Hugging Face has it, or else those of the one kind of file that is in it.
fn of_folder(path: &Path) -> Outcome<(&'static str, Weights, Metadata)> {
    let unreadable = |error| Failure::file(format!("cannot read the folder `{}`: {error}", path.display()));
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        files.push(entry.map_err(unreadable)?.path());
    }
    files.sort();
    let ending =
        |end: &str| -> Vec<&PathBuf> { files.iter().filter(|file| file.to_string_lossy().ends_with(end)).collect() };
    let has = |name: &str| path.join(name).exists();
    let (dtype, device) = (DType::F32, Device::Cpu);
    if has("model.safetensors") || has("model.safetensors.index.json") {
        return with_metadata("safetensors", Weights::folder(path, dtype, &device));
    }
    if has("pytorch_model.bin") || has("pytorch_model.bin.index.json") {
        return with_metadata("pytorch", Weights::folder(path, dtype, &device));
    }
    match (&ending(".safetensors.index.json")[..], &ending(".safetensors")[..], &ending(".gguf")[..]) {
        ([index], ..) => open(index),
        ([], [_, ..], _) => with_metadata("safetensors", Weights::safetensors(ending(".safetensors"), dtype, &device)),
        ([], [], [file]) => open(file),
        ([], [], []) => Err(Failure::file(format!(
            "`{}` has neither a SavedModel (`saved_model.pb`) nor weights (`.safetensors`, `.gguf`, `pytorch_model.bin`)",
            path.display()
        ))),
        (several, _, more) => {
            let names = several.iter().chain(more).filter_map(|file| file.file_name());
            let names: Vec<_> = names.map(|name| format!("`{}`", name.to_string_lossy())).collect();
            Err(Failure::name(format!("`{}` has {}; name the one that is meant", path.display(), names.join(", "))))
        }
    }
}
