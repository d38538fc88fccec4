//! The graph of a signature: one list of nodes, every function call put in place of itself.

mod control;
mod flat;
mod inline;
mod known;
mod local;
mod lower;
mod owners;
mod restore;
mod variables;

use std::collections::HashMap;
use std::sync::Arc;

pub use control::{Body, Part};
pub use flat::flatten;

use crate::Result;
use crate::checkpoint::Checkpoint;
use crate::dtype::Type;
use crate::proto::{Attrs, Shape, TensorProto};
use crate::slices::Slice;

/// What weights, constants and operations become for whoever computes.
pub trait Engine {
    /// A weight, or a constant.
    type Tensor: Clone;
    /// An operation with its attributes.
    type Operation;
    /// Whether weights are read. Otherwise a checkpoint need not be there, and their types and shapes are those that the graph
    /// has.
    const WEIGHTS: bool = true;

    /// Whether what nodes do is written down in words, to be compared: a record is made of it.
    fn records(&self) -> bool {
        false
    }

    /// A weight of a checkpoint, or without one what stands for it.
    ///
    /// # Errors
    /// A tensor that can't be read.
    fn weight(&self, from: Option<(&Checkpoint, &str)>) -> Result<Self::Tensor>;

    /// One of the parts that a weight of a checkpoint is saved in.
    ///
    /// # Errors
    /// There is none, or it can't be read.
    fn part(&self, checkpoint: &Checkpoint, key: &str, part: &Slice) -> Result<Self::Tensor>;

    /// A constant of the graph.
    ///
    /// # Errors
    /// One that can't be read.
    fn constant(&self, proto: &TensorProto<'_>) -> Result<Self::Tensor>;

    /// An operation by TensorFlow's name.
    ///
    /// # Errors
    /// One that is not supported.
    fn operation(&self, op: &str, attrs: &Attrs<'_>) -> Result<Self::Operation>;
}

/// A graph in which every node stands behind those that it takes values of.
pub struct Graph<E: Engine> {
    /// The nodes, in that order.
    pub nodes: Vec<Node<E>>,
    /// What the signature takes, in the order of the names.
    pub inputs: Vec<Input>,
    /// What the signature gives, in the order of the names.
    pub outputs: Vec<Output>,
    /// The weights, each once.
    pub variables: Vec<Variable<E::Tensor>>,
    /// What calls that are put in place of themselves would have given, by their names.
    pub calls: HashMap<String, Vec<Option<Value>>>,
    /// The functions that branches and loops call.
    pub bodies: Vec<Body>,
}

/// One operation at one place.
pub struct Node<E: Engine> {
    /// The whole name, `StatefulPartitionedCall/mlp_1/dense_1/MatMul`.
    pub name: String,
    /// TensorFlow's name of what it does.
    pub op: Arc<str>,
    /// The values that it takes.
    pub inputs: Vec<Value>,
    /// What it gives.
    pub outputs: Vec<Port>,
    /// How it is computed.
    pub what: What<E>,
    /// The first node that keeps this one from being computed: itself or one that it depends on.
    pub blocked: Option<u32>,
    /// The function that it stands in, if it is one that a branch or a loop calls.
    pub within: Option<u32>,
    /// What it does, in words, if they are [asked for](Engine::records).
    pub told: Option<Arc<str>>,
}

impl<E: Engine> Node<E> {
    /// One that takes and gives nothing so far.
    fn new(name: String, op: &str, what: What<E>) -> Self {
        Node {
            name,
            op: op.into(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            what,
            blocked: None,
            within: None,
            told: None,
        }
    }
}

/// A value: which output of which node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Value {
    /// Its place in the list of nodes.
    pub node: u32,
    /// Which of its outputs.
    pub output: u32,
}

/// What is known of a value beforehand.
#[derive(Clone, Debug)]
pub struct Port {
    /// Its type in the file.
    pub ty: Type,
    /// Its sizes as far as the file tells.
    pub shape: Shape,
}

/// What a node does.
pub enum What<E: Engine> {
    /// It is given: which input of the signature, or which argument of the function that it stands in.
    Input(usize),
    /// It is a weight: which variable.
    Variable(usize),
    /// It is the same in every run.
    Constant(E::Tensor),
    /// An operation makes it.
    Compute(E::Operation),
    /// It calls one of several functions: by a condition the first or the second, otherwise by number.
    Branch {
        /// The functions.
        bodies: Vec<u32>,
        /// Whether a condition says which; then the first is of what is false.
        condition: bool,
    },
    /// It calls a function as long as another says so.
    Loop {
        /// Whether there is another step, and a step.
        bodies: [u32; 2],
    },
    /// It does nothing and gives nothing, such as `NoOp`.
    Nothing,
    /// It can't be computed, and why.
    Unsupported(String),
    /// It is a weight that can't be read, and why: its file is missing, cut off or damaged.
    Unreadable(String),
}

impl<E: Engine> std::fmt::Debug for What<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            What::Input(place) => write!(f, "Input({place})"),
            What::Variable(place) => write!(f, "Variable({place})"),
            What::Constant(_) => f.write_str("Constant"),
            What::Compute(_) => f.write_str("Compute"),
            What::Branch { bodies, .. } => write!(f, "Branch({bodies:?})"),
            What::Loop { bodies } => write!(f, "Loop({bodies:?})"),
            What::Nothing => f.write_str("Nothing"),
            What::Unsupported(why) => write!(f, "Unsupported({why})"),
            What::Unreadable(why) => write!(f, "Unreadable({why})"),
        }
    }
}

impl<E: Engine> std::fmt::Debug for Node<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("name", &self.name).field("op", &self.op).field("what", &self.what).finish()
    }
}

/// An argument of the signature.
#[derive(Debug)]
pub struct Input {
    /// As the signature calls it.
    pub name: String,
    /// The node that stands for it.
    pub node: u32,
    /// Its type and shape.
    pub port: Port,
}

/// A result of the signature.
#[derive(Debug)]
pub struct Output {
    /// As the signature calls it.
    pub name: String,
    /// What it is.
    pub value: Value,
}

/// A weight.
#[derive(Debug)]
pub struct Variable<T> {
    /// As its owner calls it, `mlp/dense/kernel`.
    pub name: String,
    /// Its type in the file.
    pub ty: Type,
    /// Its sizes.
    pub shape: Vec<usize>,
    /// Where the object that was saved has it, `_layers/1/kernel`, if records are [asked for](Engine::records).
    pub owner: Option<Arc<str>>,
    /// What it became.
    pub value: T,
}
