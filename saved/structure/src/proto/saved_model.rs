//! `SavedModel`, `MetaGraphDef` and `SignatureDef`.

use std::collections::BTreeMap;

use super::function::OpDef;
use super::graph::GraphDef;
use super::objects::ObjectGraph;
use super::tensor::Shape;
use super::wire::{entry, fields};
use crate::{Error, Result};

/// A file `saved_model.pb`.
#[derive(Debug, Default)]
pub struct SavedModel<'a> {
    /// The graph to run: models with one for training have another for serving.
    pub graph: Option<MetaGraph<'a>>,
}

impl<'a> SavedModel<'a> {
    pub fn parse(file: &'a [u8]) -> Result<Self> {
        let mut model = SavedModel::default();
        for field in fields(file) {
            if let (2, v) = field? {
                let graph = MetaGraph::parse(v.bytes()?)?;
                let serves = |graph: &MetaGraph<'_>| graph.tags.contains(&"serve");
                if model.graph.as_ref().is_none_or(|first| serves(&graph) && !serves(first)) {
                    model.graph = Some(graph);
                }
            }
        }
        Ok(model)
    }

    /// The graph to run.
    pub(crate) fn serving(&self) -> Result<&MetaGraph<'a>> {
        self.graph.as_ref().ok_or_else(|| Error::Msg("there is no graph in it".to_owned()))
    }
}

/// A graph with what is said about it.
#[derive(Debug, Default)]
pub struct MetaGraph<'a> {
    pub tags: Vec<&'a str>,
    pub version: &'a str,
    pub ops: Vec<OpDef<'a>>,
    pub graph: GraphDef<'a>,
    pub signatures: BTreeMap<&'a str, Signature<'a>>,
    pub objects: Option<ObjectGraph<'a>>,
    /// The node that restores all variables; empty where none does.
    pub restore: &'a str,
}

impl<'a> MetaGraph<'a> {
    /// The signatures that can be called. The function that readies tables has one, too, and no arguments.
    pub(crate) fn callable(&self) -> impl Iterator<Item = (&&'a str, &Signature<'a>)> + Clone {
        self.signatures.iter().filter(|(name, _)| !name.starts_with("__saved_model"))
    }

    fn parse(message: &'a [u8]) -> Result<Self> {
        let mut meta = MetaGraph::default();
        for field in fields(message) {
            match field? {
                (1, v) => meta.info(v.bytes()?)?,
                (2, v) => meta.graph = GraphDef::parse(v.bytes()?)?,
                (3, v) => {
                    for field in fields(v.bytes()?) {
                        if let (3, v) = field? {
                            meta.restore = v.text()?;
                        }
                    }
                }
                (5, v) => {
                    let (name, signature) = entry(v.bytes()?)?;
                    meta.signatures.insert(name, Signature::parse(signature)?);
                }
                (7, v) => meta.objects = Some(ObjectGraph::parse(v.bytes()?)?),
                _ => {}
            }
        }
        Ok(meta)
    }

    fn info(&mut self, message: &'a [u8]) -> Result<()> {
        for field in fields(message) {
            match field? {
                (2, v) => {
                    for field in fields(v.bytes()?) {
                        if let (1, v) = field? {
                            let op = OpDef::parse(v.bytes()?)?;
                            if op.name.is_empty() {
                                return Err(Error::Msg("it describes an operation without a name".to_owned()));
                            }
                            self.ops.push(op);
                        }
                    }
                }
                (4, v) => self.tags.push(v.text()?),
                (5, v) => self.version = v.text()?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// A way to call the model: names of its inputs and outputs.
#[derive(Debug, Default)]
pub struct Signature<'a> {
    pub inputs: BTreeMap<&'a str, Info<'a>>,
    pub outputs: BTreeMap<&'a str, Info<'a>>,
}

/// A value of the main graph.
#[derive(Debug, Default)]
pub struct Info<'a> {
    /// `node:output`; empty for a value of several parts.
    pub name: &'a str,
    pub dtype: i64,
    pub shape: Shape,
}

impl<'a> Signature<'a> {
    fn parse(message: &'a [u8]) -> Result<Self> {
        let mut signature = Signature::default();
        for field in fields(message) {
            match field? {
                (1, v) => {
                    let (name, info) = entry(v.bytes()?)?;
                    signature.inputs.insert(name, Info::parse(info)?);
                }
                (2, v) => {
                    let (name, info) = entry(v.bytes()?)?;
                    signature.outputs.insert(name, Info::parse(info)?);
                }
                _ => {}
            }
        }
        Ok(signature)
    }
}

impl<'a> Info<'a> {
    fn parse(message: &'a [u8]) -> Result<Self> {
        let mut info = Info::default();
        for field in fields(message) {
            match field? {
                (1, v) => info.name = v.text()?,
                (2, v) => info.dtype = v.int()?,
                (3, v) => info.shape = Shape::parse(v.bytes()?)?,
                _ => {}
            }
        }
        Ok(info)
    }
}
