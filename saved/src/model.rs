//! A saved model, open: what is in it, and plain runs.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use taper::Model;
use taper_saved_structure::open::{Structure, open as open_structure};
use taper_saved_structure::tensors::Tensors;

use crate::changed::Run;
use crate::graph::{Candle, Graph, What};
use crate::outputs::{Captured, Outputs};
use crate::run::{Regions, Sited, Taps};
use crate::{Checked, Layer, Result, Signature, TensorInfo};

/// One signature of a TensorFlow SavedModel, with its weights: what [`open`] gives.
///
/// It is one of taper's models ([`taper::Model`]): its sites are those of its tensors, and what takes any model takes it.
pub struct SavedModel {
    pub(crate) graph: Graph,
    pub(crate) tensors: Tensors,
    pub(crate) layers: Vec<Layer>,
    /// What has a site.
    pub(crate) sited: Arc<[Sited]>,
    pub(crate) regions: Regions,
    /// Where its weights are, and its inputs belong.
    pub(crate) device: Device,
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
/// A file that is missing, cut off or damaged, and a graph that can't be read. An operation that is not supported is no error,
/// nor is a weight that can't be read ([`SavedModel::unreadable`]): asking for what depends on it is.
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

/// The signatures of a SavedModel directory, in the order of their names. Weights are not read.
///
/// ```no_run
/// for signature in taper_saved::signatures("path/to/saved_model")? {
///     let inputs: Vec<_> = signature.inputs().iter().map(|input| (input.name(), input.ty().name())).collect();
///     println!("{} of {inputs:?}", signature.name());
/// }
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// A file that is missing, cut off or damaged.
pub fn signatures(path: impl AsRef<Path>) -> Result<Vec<Signature>> {
    Ok(taper_saved_structure::signatures::signatures(path.as_ref())?)
}

/// Reads every weight in a SavedModel directory, those included that no signature takes, and compares its checksum. [`open`]
/// reads those that its signature takes, and [`SavedModel::unreadable`] has what came of it.
///
/// ```
/// # let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/saved/mlp/export");
/// let checked = taper_saved::check(directory)?;
/// println!("{} tensors, {} bytes", checked.tensors(), checked.bytes());
/// for (key, why) in checked.damaged() {
///     println!("{key}: {why}");
/// }
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// An index of the weights that can't be read.
pub fn check(path: impl AsRef<Path>) -> Result<Checked> {
    Ok(taper_saved_structure::check::check(path.as_ref())?)
}

fn open_at(path: &Path, signature: Option<&str>) -> Result<SavedModel> {
    let device = Device::Cpu;
    let structure = open_structure(path, signature, &Candle { device: device.clone(), records: false })?;
    Ok(SavedModel::of(structure, device))
}

/// A signature with what is to be compared of its structure.
pub(crate) fn open_recording(path: &Path, signature: &str, device: &Device) -> Result<Structure<Candle>> {
    Ok(open_structure(path, Some(signature), &Candle { device: device.clone(), records: true })?)
}

impl SavedModel {
    pub(crate) fn of(mut found: Structure<Candle>, device: Device) -> Self {
        // What was written down to be compared has been.
        found.graph.nodes.iter_mut().for_each(|node| node.told = None);
        let sited = found.tensors.all.iter().filter(|tensor| tensor.site.is_some());
        SavedModel {
            sited: sited.map(Sited::of).collect(),
            regions: Regions::of(&found.graph),
            graph: found.graph,
            device,
            tensors: found.tensors,
            layers: found.layers,
            identity: found.identity,
            signature: found.signature,
            signatures: found.signatures,
            version: found.version,
        }
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

    /// The weights that can't be read, because their file is missing, cut off or damaged: their names, and why. What depends
    /// on none of them can be computed.
    pub fn unreadable(&self) -> impl Iterator<Item = (&str, &str)> {
        self.graph.nodes.iter().filter_map(|node| match &node.what {
            What::Unreadable(why) => Some((node.name.as_str(), why.as_str())),
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
