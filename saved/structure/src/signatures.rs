//! The ways to call a saved model.

use std::collections::BTreeMap;
use std::path::Path;

use crate::dtype::Type;
use crate::open::graph_file;
use crate::proto::{self, Info};
use crate::{Error, Result};

/// One way to call a saved model: what goes in, and what comes out.
#[derive(Clone, Debug)]
pub struct Signature {
    name: String,
    inputs: Vec<Argument>,
    outputs: Vec<Argument>,
}

/// An input or an output of a signature.
#[derive(Clone, Debug)]
pub struct Argument {
    name: String,
    ty: Type,
    shape: Option<Vec<Option<usize>>>,
}

/// The signatures of a SavedModel directory, in the order of their names.
///
/// # Errors
/// A file that is missing, cut off or damaged.
pub fn signatures(path: &Path) -> Result<Vec<Signature>> {
    let (file, bytes) = graph_file(path)?;
    let read = || {
        let model = proto::SavedModel::parse(&bytes)?;
        let arguments =
            |all: &BTreeMap<&str, Info<'_>>| all.iter().map(|(name, info)| Argument::of(name, info)).collect();
        let signature = |(name, signature): (&&str, &proto::Signature<'_>)| Signature {
            name: (*name).to_owned(),
            inputs: arguments(&signature.inputs),
            outputs: arguments(&signature.outputs),
        };
        Ok(model.serving()?.callable().map(signature).collect())
    };
    read().map_err(|error: Error| Error::Msg(format!("`{}`: {error}", file.display())))
}

impl Signature {
    /// Its name, by which it is opened.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What goes in, in the order of the names.
    pub fn inputs(&self) -> &[Argument] {
        &self.inputs
    }

    /// What comes out, in the order of the names.
    pub fn outputs(&self) -> &[Argument] {
        &self.outputs
    }
}

impl Argument {
    fn of(name: &str, info: &Info<'_>) -> Self {
        let sizes = info.shape.0.as_ref();
        let shape = sizes.map(|sizes| sizes.iter().map(|size| usize::try_from(*size).ok()).collect());
        Argument { name: name.to_owned(), ty: Type::of(info.dtype), shape }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type in the file.
    pub fn ty(&self) -> Type {
        self.ty
    }

    /// The sizes as far as the file tells: `None` for one that it does not, and for all if it does not tell their number.
    pub fn shape(&self) -> Option<&[Option<usize>]> {
        self.shape.as_deref()
    }
}
