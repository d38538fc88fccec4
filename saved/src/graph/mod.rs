//! The graph of a signature: one list of nodes, every function call put in place of itself.

mod control;
mod flat;
mod inline;
mod local;
mod variables;

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::Tensor;

pub(crate) use control::Body;
pub(crate) use flat::flatten;

use crate::dtype::Type;
use crate::ops::Compute;
use crate::proto::Shape;

/// A graph in which every node stands behind those that it takes values of.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) inputs: Vec<Input>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) variables: Vec<Variable>,
    /// What calls that are put in place of themselves would have given, by their names.
    pub(crate) calls: HashMap<String, Vec<Option<Value>>>,
}

/// One operation at one place.
#[derive(Debug)]
pub(crate) struct Node {
    /// The whole name, `StatefulPartitionedCall/mlp_1/dense_1/MatMul`.
    pub(crate) name: String,
    pub(crate) op: Arc<str>,
    pub(crate) inputs: Vec<Value>,
    pub(crate) outputs: Vec<Port>,
    pub(crate) what: What,
    /// The first node that keeps this one from being computed: itself or one that it depends on.
    pub(crate) blocked: Option<u32>,
}

/// A value: which output of which node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Value {
    pub(crate) node: u32,
    pub(crate) output: u32,
}

/// What is known of a value beforehand.
#[derive(Clone, Debug)]
pub(crate) struct Port {
    pub(crate) ty: Type,
    pub(crate) shape: Shape,
}

/// What a node does.
pub(crate) enum What {
    /// It is given: which input.
    Input(usize),
    /// It is a weight: which variable.
    Variable(usize),
    Constant(Tensor),
    Compute(Compute),
    /// It calls one of several functions: by a condition the first or the second, otherwise by number.
    Branch {
        bodies: Vec<Body>,
        condition: bool,
    },
    /// It calls a function as long as another says so.
    Loop {
        condition: Body,
        body: Body,
    },
    /// It does nothing and gives nothing, such as `NoOp`.
    Nothing,
    /// It can't be computed, and why.
    Unsupported(String),
}

impl std::fmt::Debug for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            What::Input(place) => write!(f, "Input({place})"),
            What::Variable(place) => write!(f, "Variable({place})"),
            What::Constant(tensor) => write!(f, "Constant({:?})", tensor.dims()),
            What::Compute(_) => f.write_str("Compute"),
            What::Branch { bodies, .. } => f.debug_list().entries(bodies).finish(),
            What::Loop { condition, body } => f.debug_list().entries([condition, body]).finish(),
            What::Nothing => f.write_str("Nothing"),
            What::Unsupported(why) => write!(f, "Unsupported({why})"),
        }
    }
}

/// An argument of the signature.
#[derive(Debug)]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) node: u32,
    pub(crate) port: Port,
}

/// A result of the signature.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) value: Value,
}

/// A weight.
#[derive(Debug)]
pub(crate) struct Variable {
    /// As its owner calls it, `mlp/dense/kernel`.
    pub(crate) name: String,
    pub(crate) value: Tensor,
}
