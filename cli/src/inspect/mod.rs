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
        () if [".keras", ".h5", ".hdf5"].iter().any(|end| ends(end)) => Err(Failure::file(format!(
            "`{}` is a file of Keras's own, which is not read; `model.export(dir)` writes a SavedModel",
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
        ([], several @ [_, ..], _) => {
            let together = with_metadata("safetensors", Weights::safetensors(several, dtype, &device));
            // Where each of them can be read, they are not the parts of one model.
            let can_be_read = |file: &&PathBuf| Weights::safetensors([*file], dtype, &device).is_ok();
            match together {
                Err(_) if several.len() > 1 && several.iter().all(can_be_read) => Err(several_models(path, several)),
                together => together,
            }
        }
        ([], [], [file]) => open(file),
        ([], [], []) => Err(Failure::file(format!(
            "`{}` has neither a SavedModel (`saved_model.pb`) nor weights (`.safetensors`, `.gguf`, `pytorch_model.bin`)",
            path.display()
        ))),
        (several, _, more) => Err(several_models(path, &several.iter().chain(more).copied().collect::<Vec<_>>())),
    }
}

/// That a folder has the files of several models.
fn several_models(folder: &Path, files: &[&PathBuf]) -> Failure {
    let names: Vec<_> = files.iter().filter_map(|file| file.file_name()).map(|name| name.to_string_lossy()).collect();
    let listed: Vec<_> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let first = names.first().map(|name| folder.join(&**name).display().to_string()).unwrap_or_default();
    Failure::name(format!(
        "`{}` has the files of several models, {}{more}; name the one that is meant, such as `{first}`",
        folder.display(),
        listed.join(", ")
    ))
}

/// How many files an error lists.
const LISTED: usize = 8;
