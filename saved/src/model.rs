//! A saved model, open: what is in it, and plain runs.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::Tensor;
use taper::Model;

use crate::changed::Run;
use crate::checkpoint::Checkpoint;
use crate::graph::{self, Graph, What};
use crate::layers::{self, Aliases, Layer};
use crate::outputs::{Captured, Outputs};
use crate::proto;
use crate::run::Taps;
use crate::tensors::{TensorInfo, Tensors};
use crate::{Error, Result};

/// One signature of a TensorFlow SavedModel, with its weights: what [`open`] gives.
///
/// It is one of taper's models ([`taper::Model`]): its sites are those of its tensors, and what takes any model takes it.
pub struct SavedModel {
    pub(crate) graph: Graph,
    pub(crate) tensors: Tensors,
    pub(crate) layers: Vec<Layer>,
    /// The names of the sites.
    pub(crate) names: Arc<[String]>,
    /// Tells it from other models.
    pub(crate) identity: u64,
    pub(crate) signature: String,
    pub(crate) signatures: Vec<String>,
    pub(crate) version: String,
}

/// Opens a SavedModel directory: `saved_model.pb` with the weights in `variables/`. Of several signatures it is
/// `serving_default`; [`open_signature`] opens another.
///
/// ```no_run
/// # use candle_core::{Device, Tensor};
/// let model = taper_saved::open("path/to/saved_model")?;
/// println!("{}", model.summary());
/// let x = Tensor::zeros((3, 8), candle_core::DType::F32, &Device::Cpu)?;
/// let out = model.forward([("x", &x)])?;
/// let h = model.capture([("x", &x)], &["two/Tanh"])?;
/// let y = model.run().edit("two/d1/BiasAdd", |t| t.relu())?.forward([("x", &x)])?;
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// A file that is missing, cut off or damaged, and a graph that can't be read. An operation that is not supported is no error:
/// asking for what depends on it is.
pub fn open(path: impl AsRef<Path>) -> Result<SavedModel> {
    open_at(path.as_ref(), None)
}

/// Opens one signature of a SavedModel directory; [`SavedModel::signatures`] lists them.
///
/// # Errors
/// As [`open`], and a signature that there is not.
pub fn open_signature(path: impl AsRef<Path>, signature: &str) -> Result<SavedModel> {
    open_at(path.as_ref(), Some(signature))
}

fn open_at(path: &Path, signature: Option<&str>) -> Result<SavedModel> {
    let (file, bytes) = graph_file(path)?;
    let prefix = path.join("variables").join("variables");
    let index = path.join("variables").join("variables.index");
    let checkpoint = if index.exists() { Some(Checkpoint::open(&prefix)?) } else { None };
    SavedModel::read(&bytes, signature, checkpoint)
        .map_err(|error| Error::Msg(format!("`{}`: {error}", file.display())))
}

/// The path and the bytes of the file that has the graphs.
pub(crate) fn graph_file(path: &Path) -> Result<(PathBuf, Vec<u8>)> {
    let file = path.join("saved_model.pb");
    let bytes = std::fs::read(&file).map_err(|error| {
        let what = match (path.is_dir(), path.join("saved_model.pbtxt").exists()) {
            (_, true) => {
                "; a model written as text (`saved_model.pbtxt`) is not supported: save it again without `as_text`"
            }
            (false, _) if path.is_file() => "; a SavedModel is a directory, such as `model.export(dir)` writes",
            _ => "",
        };
        Error::Msg(format!("`{}`: {error}{what}", file.display()))
    })?;
    Ok((file, bytes))
}

impl SavedModel {
    fn read(bytes: &[u8], signature: Option<&str>, checkpoint: Option<Checkpoint>) -> Result<Self> {
        let model = proto::SavedModel::parse(bytes)?;
        let meta = model.serving()?;
        let callable = || meta.callable();
        let names: Vec<String> = callable().map(|(name, _)| (*name).to_owned()).collect();
        let default = || {
            let mut signatures = callable();
            match (signatures.clone().find(|(name, _)| **name == "serving_default"), signatures.next()) {
                (Some(found), _) | (None, Some(found)) => Some(found),
                (None, None) => None,
            }
        };
        let found = match signature {
            Some(wanted) => callable().find(|(name, _)| **name == wanted),
            None => default(),
        };
        let Some((name, signature)) = found else {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            return Err(Error::Msg(match (signature, names.is_empty()) {
                (Some(wanted), false) => format!("there is no signature `{wanted}`; there are {}", names.join(", ")),
                _ => "it has no signature, so that nothing says what goes in and what comes out; save it with `signatures=`"
                    .to_owned(),
            }));
        };
        let graph = graph::flatten(meta, signature, checkpoint, bytes.len())?;
        let aliases = Aliases::of(&graph);
        let tensors = Tensors::of(&graph, &aliases);
        let layers = layers::layers(&graph, &aliases, &tensors);
        let sited = tensors.all.iter().filter(|tensor| tensor.site.is_some());
        let sites: Arc<[String]> = sited.map(|tensor| tensor.name.clone()).collect();
        let mut hasher = DefaultHasher::new();
        (&*sites, bytes).hash(&mut hasher);
        Ok(SavedModel {
            tensors,
            layers,
            names: sites,
            identity: hasher.finish(),
            signature: (*name).to_owned(),
            signatures: names,
            version: meta.version.to_owned(),
            graph,
        })
    }

    /// The names of the signatures in the file.
    pub fn signatures(&self) -> &[String] {
        &self.signatures
    }

    /// The signature that was opened.
    pub fn signature(&self) -> &str {
        &self.signature
    }

    /// The version of TensorFlow that wrote the file, if it says so.
    pub fn tensorflow(&self) -> Option<&str> {
        (!self.version.is_empty()).then_some(&*self.version)
    }

    /// The nodes that are not supported: their names, their operations, and why. What depends on none of them can be
    /// computed.
    pub fn unsupported(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.graph.nodes.iter().filter_map(|node| match &node.what {
            What::Unsupported(why) => Some((node.name.as_str(), &*node.op, why.as_str())),
            _ => None,
        })
    }

    /// The names of the inputs and the tensors that they are, in the order of the names.
    pub fn input_tensors(&self) -> impl Iterator<Item = (&str, &TensorInfo)> {
        let inputs = self.graph.inputs.iter();
        inputs.flat_map(|input| self.tensors.of_node(input.node).iter().map(|tensor| (input.name.as_str(), tensor)))
    }

    /// The names of the outputs and the tensors that they are, in the order of the names.
    pub fn output_tensors(&self) -> impl Iterator<Item = (&str, Option<&TensorInfo>)> {
        self.graph.outputs.iter().map(|output| (output.name.as_str(), self.tensors.get(output.value)))
    }

    /// Every tensor, those that can't be computed included, in the order in which they are computed.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors.all
    }

    /// The layers, as their owners know them, in the order in which they begin.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().filter(|layer| layer.shown)
    }

    /// The weights by name. Each is in memory once, however often the file has it.
    pub fn variables(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.graph.variables.iter().map(|variable| (variable.name.as_str(), &variable.value))
    }

    /// What the model gives, by the names of the signature.
    ///
    /// # Errors
    /// Inputs that do not fit (see [`inputs`](Self::inputs)); a node that fails, or that is not supported, with its name.
    pub fn forward<'a>(&self, inputs: impl IntoIterator<Item = (&'a str, &'a Tensor)>) -> Result<Outputs> {
        self.run().forward(inputs)
    }

    /// What the model gives, and every tensor that can be computed.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn forward_with_taps<'a>(
        &self,
        inputs: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    ) -> Result<(Outputs, Taps)> {
        let (output, taps) = Model::forward_with_taps(self, (&self.inputs(inputs)?,))?;
        Ok((Outputs::of(self, output), taps))
    }

    /// The tensors of some names (see [`find`](Self::find)), detached from the autograd graph. Nothing else is computed
    /// than what they depend on.
    ///
    /// # Errors
    /// As [`forward`](Self::forward) and [`find`](Self::find).
    pub fn capture<'a>(
        &self,
        inputs: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
        names: &[&str],
    ) -> Result<Captured> {
        self.run().capture(inputs, names)
    }

    /// A run to be changed: tensors edited, replaced, differentiated, recorded and replayed.
    pub fn run(&self) -> Run<'_, '_> {
        Run::of(self)
    }
}

impl fmt::Debug for SavedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedModel")
            .field("signature", &self.signature)
            .field("nodes", &self.graph.nodes.len())
            .finish_non_exhaustive()
    }
}
