//! `GraphDef` and `NodeDef`.

use super::attr::Attrs;
use super::function::FunctionDef;
use super::wire::{entry, fields};
use crate::{Error, Result};

/// Nodes, and the functions that they call.
#[derive(Debug, Default)]
pub struct GraphDef<'a> {
    pub nodes: Vec<NodeDef<'a>>,
    pub functions: Vec<FunctionDef<'a>>,
}

impl<'a> GraphDef<'a> {
    pub fn parse(message: &'a [u8]) -> Result<Self> {
        let mut graph = GraphDef::default();
        for field in fields(message) {
            match field? {
                (1, v) => graph.nodes.push(NodeDef::of_graph(v.bytes()?)?),
                (2, v) => {
                    for field in fields(v.bytes()?) {
                        if let (1, v) = field? {
                            graph.functions.push(FunctionDef::parse(v.bytes()?)?);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(graph)
    }
}

/// One operation.
#[derive(Clone, Debug, Default)]
pub struct NodeDef<'a> {
    pub name: &'a str,
    pub op: &'a str,
    /// Names of values; of nodes that must only have run, with `^` in front, at the end.
    pub inputs: Vec<&'a str>,
    pub attrs: Attrs<'a>,
}

impl<'a> NodeDef<'a> {
    /// A node that can be called by its name.
    pub(super) fn of_graph(message: &'a [u8]) -> Result<Self> {
        let node = Self::parse(message)?;
        match node.name.is_empty() || node.op.is_empty() {
            true => Err(Error::Msg("it has a node without a name or without an operation".to_owned())),
            false => Ok(node),
        }
    }

    pub fn parse(message: &'a [u8]) -> Result<Self> {
        let mut node = NodeDef::default();
        let mut attrs = Vec::new();
        for field in fields(message) {
            match field? {
                (1, v) => node.name = v.text()?,
                (2, v) => node.op = v.text()?,
                (3, v) => node.inputs.push(v.text()?),
                (5, v) => attrs.push(entry(v.bytes()?)?),
                _ => {}
            }
        }
        // There may be a great many nodes, each with a list that has room for four.
        node.inputs.shrink_to_fit();
        node.attrs = Attrs::of(attrs);
        Ok(node)
    }
}
