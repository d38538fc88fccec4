//! `GraphDef` and `NodeDef`.

use super::attr::Attrs;
use super::function::FunctionDef;
use super::wire::{entry, fields};
use crate::Result;

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
                (1, v) => graph.nodes.push(NodeDef::parse(v.bytes()?)?),
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
    pub fn parse(message: &'a [u8]) -> Result<Self> {
        let mut node = NodeDef::default();
        for field in fields(message) {
            match field? {
                (1, v) => node.name = v.text()?,
                (2, v) => node.op = v.text()?,
                (3, v) => node.inputs.push(v.text()?),
                (5, v) => {
                    let (name, value) = entry(v.bytes()?)?;
                    node.attrs.insert(name, value);
                }
                _ => {}
            }
        }
        Ok(node)
    }
}
