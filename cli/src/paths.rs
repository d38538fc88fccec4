//! The one name by which a tensor is shown and saved.

use std::collections::HashMap;
use std::path::Path;

use taper_saved::{SavedModel, TensorInfo};

use crate::failure::{Failure, Outcome};
use crate::names::unknown;

/// Opens a signature of a model.
pub(crate) fn open(path: &Path, signature: Option<&str>) -> Outcome<SavedModel> {
    let Some(wanted) = signature else { return taper_saved::open(path).map_err(Failure::file) };
    let signatures = taper_saved::signatures(path).map_err(Failure::file)?;
    if !signatures.iter().any(|signature| signature.name() == wanted) {
        let why = unknown("signature", wanted, signatures.iter().map(taper_saved::Signature::name));
        return Err(Failure::name(format!("`{}`: {why}", path.display())));
    }
    taper_saved::open_signature(path, wanted).map_err(Failure::file)
}

/// The paths of a model's tensors: the name by layers where it is one tensor's alone, and else the whole name.
pub(crate) struct Paths<'m> {
    by_name: HashMap<&'m str, &'m TensorInfo>,
    /// How many tensors a name means, by layers or whole.
    meant: HashMap<&'m str, usize>,
    full: bool,
}

impl<'m> Paths<'m> {
    pub(crate) fn of(model: &'m SavedModel, full: bool) -> Self {
        let mut meant = HashMap::new();
        for tensor in model.tensors() {
            *meant.entry(tensor.name()).or_default() += 1;
            if tensor.short_name() != tensor.name() {
                *meant.entry(tensor.short_name()).or_default() += 1;
            }
        }
        Paths { by_name: model.tensors().iter().map(|tensor| (tensor.name(), tensor)).collect(), meant, full }
    }

    pub(crate) fn path<'t>(&self, tensor: &'t TensorInfo) -> &'t str {
        match !self.full && self.meant.get(tensor.short_name()) == Some(&1) {
            true => tensor.short_name(),
            false => tensor.name(),
        }
    }

    /// The path of a whole name. What stands in a loop has the step in its name, `while/body.2/mul`, and in its path.
    pub(crate) fn of_whole(&self, name: &str) -> String {
        if let Some(tensor) = self.by_name.get(name) {
            return self.path(tensor).to_owned();
        }
        let step = |part: &str| {
            let (own, number) = part.rsplit_once('.')?;
            number.parse::<usize>().ok().map(|_| own.to_owned())
        };
        let parts: Vec<&str> = name.split('/').collect();
        let plain: Vec<String> = parts.iter().map(|part| step(part).unwrap_or((*part).to_owned())).collect();
        let Some(tensor) = self.by_name.get(plain.join("/").as_str()) else { return name.to_owned() };
        let mut path: Vec<&str> = self.path(tensor).split('/').collect();
        // Layers have other names than scopes, and as many parts behind the loop.
        for (from_end, (part, plain)) in
            parts.iter().zip(&plain).rev().enumerate().filter(|(_, (part, plain))| part != plain)
        {
            match path.len().checked_sub(from_end + 1) {
                Some(at) if path[at] == plain => path[at] = part,
                _ => return name.to_owned(),
            }
        }
        path.join("/")
    }
}
