//! Puts the nodes of a function in place of every call of it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::described;
use super::local::{Named, Names, order};
use super::variables::Variables;
use super::{Engine, Node, Port, Value, What};
use crate::dtype::Type;
use crate::proto::{Attrs, FunctionDef, MetaGraph, NodeDef, OpDef, Shape, TensorProto};
use crate::{Error, Result};

/// How deep calls go: a function that calls itself never ends.
const DEPTH: usize = 64;

/// More outputs than any operation has, lists counted as one.
const OUTPUTS: usize = 256;

/// The longest reason, in bytes, why a node can't be computed.
const LONGEST: usize = 1 << 10;

/// What a node costs beside its name.
const NODE: usize = 256;

/// The nodes so far, and what new ones are made from.
pub(super) struct Inliner<'a, E: Engine> {
    functions: HashMap<&'a str, &'a FunctionDef<'a>>,
    ops: HashMap<&'a str, &'a OpDef<'a>>,
    pub(super) nodes: Vec<Node<E>>,
    pub(super) variables: Variables<'a, E>,
    /// Names that are taken, and the number that the next node of that name may have.
    taken: HashMap<String, usize>,
    /// Constants that were read, by where they stand in the file.
    constants: HashMap<usize, E::Tensor>,
    /// The node of every variable.
    handles: HashMap<usize, u32>,
    /// Of nodes behind effects, which.
    behind: HashMap<u32, Vec<u32>>,
    /// The values of calls, by their names.
    pub(super) calls: HashMap<String, Vec<Option<Value>>>,
    /// Bytes that may yet be used: functions that call others twice could make a great graph of a small file.
    left: usize,
    /// The size of the file, which nothing in it can have more parts than.
    size: usize,
}

/// What is inlined: where it stands, and what has happened before.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    /// What is put in front of the names.
    pub(super) prefix: &'p str,
    /// The nodes with effects that have run before.
    pub(super) before: &'p [u32],
    pub(super) depth: usize,
}

/// The nodes around those of a body, while it is built.
pub(super) struct Outer<E: Engine> {
    nodes: Vec<Node<E>>,
    taken: HashMap<String, usize>,
    handles: HashMap<usize, u32>,
    behind: HashMap<u32, Vec<u32>>,
    calls: HashMap<String, Vec<Option<Value>>>,
}

/// Cuts off what nobody reads: names in a file may be of any length, and stand in the errors of many nodes.
fn shorten(text: &mut String) {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
}

/// Whether an operation writes to a variable.
fn has_effects(op: &str) -> bool {
    op.starts_with("Assign") || op.starts_with("ResourceApply") || op.starts_with("ResourceScatter")
}

impl<'a, E: Engine> Inliner<'a, E> {
    pub(super) fn new(meta: &'a MetaGraph<'a>, variables: Variables<'a, E>, size: usize) -> Self {
        Inliner {
            functions: meta.graph.functions.iter().map(|f| (f.signature.name, f)).collect(),
            ops: meta.ops.iter().map(|op| (op.name, op)).collect(),
            nodes: Vec::new(),
            variables,
            taken: HashMap::new(),
            constants: HashMap::new(),
            handles: HashMap::new(),
            behind: HashMap::new(),
            calls: HashMap::new(),
            left: size.saturating_mul(64).saturating_add(1 << 24),
            size,
        }
    }

    /// Begins nodes that stand alone.
    pub(super) fn begin(&mut self) -> Outer<E> {
        Outer {
            nodes: std::mem::take(&mut self.nodes),
            taken: std::mem::take(&mut self.taken),
            handles: std::mem::take(&mut self.handles),
            behind: std::mem::take(&mut self.behind),
            calls: std::mem::take(&mut self.calls),
        }
    }

    /// Ends nodes that stand alone, and goes on with those around them.
    pub(super) fn end(&mut self, outer: Outer<E>) -> Vec<Node<E>> {
        self.taken = outer.taken;
        self.handles = outer.handles;
        self.behind = outer.behind;
        self.calls = outer.calls;
        std::mem::replace(&mut self.nodes, outer.nodes)
    }

    /// A function by its name.
    pub(super) fn function_of(&self, name: &str) -> Result<&'a FunctionDef<'a>> {
        let found = self.functions.get(name).copied();
        found.ok_or_else(|| Error::Msg(format!("it calls the function `{name}`, which is not in the file")))
    }

    fn spend(&mut self, bytes: usize) -> Result<()> {
        let left = self.left.checked_sub(bytes);
        // Whoever goes on all the same does not get far.
        self.left = left.unwrap_or(0);
        left.map(|_| ()).ok_or_else(|| {
            Error::Msg("its functions call each other so often that the graph has no reasonable size".to_owned())
        })
    }

    /// The function that a node calls.
    pub(super) fn called(&self, node: &NodeDef<'a>) -> Result<Option<&'a FunctionDef<'a>>> {
        let name = match node.op {
            "PartitionedCall" | "StatefulPartitionedCall" => node.attrs.function("f")?,
            op => return Ok(self.functions.get(op).copied()),
        };
        self.function_of(name).map(Some)
    }

    /// Adds a node; its name gets a number if there is one of that name.
    pub(super) fn push(&mut self, node: Node<E>) -> Result<u32> {
        self.spend(2 * node.name.len() + NODE + 32 * (node.inputs.len() + node.outputs.len()))?;
        let mut node = node;
        if let Some(first) = self.taken.get(&node.name).copied() {
            let names = (first..).map(|number| (number + 1, format!("{}#{number}", node.name)));
            if let Some((next, name)) = names.into_iter().find(|(_, name)| !self.taken.contains_key(name)) {
                self.taken.insert(std::mem::replace(&mut node.name, name), next);
            }
        }
        self.taken.insert(node.name.clone(), 2);
        if let What::Unsupported(why) = &mut node.what {
            shorten(why);
        }
        let index = u32::try_from(self.nodes.len()).map_err(Error::wrap)?;
        let unsupported = matches!(node.what, What::Unsupported(_)).then_some(index);
        let nodes = &self.nodes;
        node.blocked = unsupported.or_else(|| node.inputs.iter().find_map(|input| nodes[input.node as usize].blocked));
        self.nodes.push(node);
        Ok(index)
    }

    /// The node of a weight.
    pub(super) fn variable(&mut self, place: usize, op: &str) -> Result<Value> {
        if let Some(node) = self.handles.get(&place) {
            return Ok(Value { node: *node, output: 0 });
        }
        let variable = &self.variables.read[place];
        let sizes = variable.shape.iter().map(|size| *size as i64).collect();
        let node = self.push(Node {
            name: variable.name.clone(),
            op: op.into(),
            inputs: Vec::new(),
            outputs: vec![Port { ty: variable.ty, shape: Shape(Some(sizes)) }],
            what: What::Variable(place),
            blocked: None,
        })?;
        self.handles.insert(place, node);
        Ok(Value { node, output: 0 })
    }

    /// Adds nodes in the order in which they can be computed.
    pub(super) fn body(
        &mut self,
        nodes: impl IntoIterator<Item = &'a NodeDef<'a>>,
        names: &mut Names<'a>,
        place: Place<'_>,
        mut own: impl FnMut(&mut Self, &NodeDef<'a>) -> Result<Option<Value>>,
    ) -> Result<()> {
        let nodes: Vec<&NodeDef<'_>> = nodes.into_iter().filter(|node| names.get(node.name).is_none()).collect();
        let order = order(
            &nodes.iter().map(|node| node.name).collect::<Vec<_>>(),
            &nodes.iter().map(|node| node.inputs.clone()).collect::<Vec<_>>(),
        );
        let mut computed = vec![false; nodes.len()];
        for at in order {
            computed[at] = true;
            let node = nodes[at];
            let named = match own(self, node)? {
                Some(value) => Named { values: vec![Some(value)], ..Named::default() },
                None => self.node(node, names, place)?,
            };
            names.insert(node.name, named);
        }
        for node in nodes.iter().zip(computed).filter_map(|(node, computed)| (!computed).then_some(node)) {
            let why = "it stands in a cycle, or behind one: loops of TensorFlow 1 are not supported".to_owned();
            let index = self.unsupported(node, place, Vec::new(), why)?;
            names.insert(node.name, self.named(node, index, Vec::new()));
        }
        Ok(())
    }

    fn node(&mut self, node: &NodeDef<'a>, names: &Names<'a>, place: Place<'_>) -> Result<Named<'a>> {
        let mut inputs = Vec::new();
        let mut before = place.before.to_vec();
        let mut missing = None;
        for input in &node.inputs {
            if let Some(control) = input.strip_prefix('^') {
                let effects = names.get(control).map_or(&[][..], |named| &named.effects);
                self.spend(4 * effects.len())?;
                before.extend(effects);
                continue;
            }
            match names.value(input) {
                Ok(value) => {
                    let effects = self.behind.get(&value.node).map_or(0, Vec::len);
                    self.spend(4 * effects)?;
                    before.extend(self.behind.get(&value.node).into_iter().flatten());
                    inputs.push(value);
                }
                Err(error) => missing = missing.or(Some(error.to_string())),
            }
        }
        before.sort_unstable();
        before.dedup();
        self.spend(4 * before.len())?;
        if let Some(why) = missing {
            let index = self.unsupported(node, place, inputs, why)?;
            return Ok(self.named(node, index, before));
        }
        match self.called(node) {
            Ok(Some(function)) => return self.call(node, function, inputs, &before, place),
            Ok(None) => {}
            Err(error) => {
                let index = self.unsupported(node, place, inputs, error.to_string())?;
                return Ok(self.named(node, index, before));
            }
        }
        let what = self.what(node, &inputs, &before, place);
        let index = self.add(node, place, inputs, what)?;
        if has_effects(node.op) {
            before.push(index);
        }
        Ok(self.named(node, index, before))
    }

    /// What a node does that calls nothing.
    fn what(&mut self, node: &NodeDef<'a>, inputs: &[Value], before: &[u32], place: Place<'_>) -> What<E> {
        // A value that is read once it has been written is not the one in the file.
        let targets: HashSet<&Value> = if before.is_empty() { HashSet::new() } else { inputs.iter().collect() };
        let written = |assign: &u32| {
            let target = self.nodes[*assign as usize].inputs.first();
            target.is_some_and(|target| targets.contains(target)).then_some(*assign)
        };
        if let Some(assign) = before.iter().find_map(written) {
            let name = &self.nodes[assign as usize].name;
            return What::Unsupported(format!("it reads what `{name}` has written, and nothing is written here"));
        }
        self.made(node, inputs.len(), place).unwrap_or_else(|error| What::Unsupported(error.to_string()))
    }

    fn made(&mut self, node: &NodeDef<'a>, inputs: usize, place: Place<'_>) -> Result<What<E>> {
        let attrs = self.attrs(node);
        if let Some(what) = self.control(node, &attrs, inputs, place)? {
            return Ok(what);
        }
        match node.op {
            "NoOp" => Ok(What::Nothing),
            "Const" => self.constant(node).map(What::Constant),
            op => self.variables.engine.operation(op, &attrs).map(What::Compute),
        }
    }

    /// The attributes of a node, those included that are left out where they are what they are by default.
    fn attrs(&self, node: &NodeDef<'a>) -> Attrs<'a> {
        match self.ops.get(node.op) {
            Some(op) => node.attrs.or(&op.defaults),
            None => node.attrs.clone(),
        }
    }

    fn constant(&mut self, node: &NodeDef<'a>) -> Result<E::Tensor> {
        let key = std::ptr::from_ref(node).addr();
        if let Some(tensor) = self.constants.get(&key) {
            return Ok(tensor.clone());
        }
        let tensor = match node.attrs.need("value")? {
            crate::proto::Attr::Tensor(message) => self.variables.engine.constant(&TensorProto::parse(message)?)?,
            _ => return Err(Error::Msg("the attribute `value` is not a tensor".to_owned())),
        };
        self.constants.insert(key, tensor.clone());
        Ok(tensor)
    }

    fn unsupported(&mut self, node: &NodeDef<'a>, place: Place<'_>, inputs: Vec<Value>, why: String) -> Result<u32> {
        self.add(node, place, inputs, What::Unsupported(why))
    }

    fn add(&mut self, node: &NodeDef<'a>, place: Place<'_>, inputs: Vec<Value>, what: What<E>) -> Result<u32> {
        let (outputs, what) = match self.ports(node) {
            Ok(outputs) => (outputs, what),
            Err(error) => (Vec::new(), What::Unsupported(error.to_string())),
        };
        let op: Arc<str> = node.op.into();
        self.push(Node { name: format!("{}{}", place.prefix, node.name), op, inputs, outputs, what, blocked: None })
    }

    /// The outputs of a node.
    fn ports(&mut self, node: &NodeDef<'a>) -> Result<Vec<Port>> {
        let attrs = self.attrs(node);
        let mut types = Vec::new();
        match self.ops.get(node.op).copied() {
            Some(op) if op.outputs.len() > OUTPUTS => {
                return Err(Error::Msg(format!("the operation has {} outputs", op.outputs.len())));
            }
            Some(op) => {
                for output in &op.outputs {
                    let own = output.types(&attrs, self.size)?;
                    self.spend(output.cost(&attrs) + 32 * own.len())?;
                    types.extend(own);
                }
            }
            None if !described::outputs(node.op).is_empty() => {
                for output in described::outputs(node.op) {
                    types.extend(output.types(&attrs, self.size)?);
                }
            }
            // Nearly all have one output, of the type `T`.
            None => {
                types.push(node.attrs.ty("T").ok().flatten().or(node.attrs.ty("dtype").ok().flatten()).unwrap_or(0))
            }
        }
        let mut shapes = node.attrs.output_shapes()?.into_iter();
        Ok(types.into_iter().map(|ty| Port { ty: Type::of(ty), shape: shapes.next().unwrap_or_default() }).collect())
    }

    /// What the name of a node stands for.
    fn named(&mut self, node: &NodeDef<'a>, index: u32, effects: Vec<u32>) -> Named<'a> {
        if !effects.is_empty() {
            self.behind.insert(index, effects.clone());
        }
        let ports = self.nodes[index as usize].outputs.len();
        let values = (0..ports).map(|output| Some(Value { node: index, output: output as u32 })).collect();
        let mut outputs = Vec::new();
        let mut first = 0;
        let attrs = self.attrs(node);
        let known = self.ops.get(node.op).map_or(described::outputs(node.op), |op| &op.outputs);
        // Of a node without values nothing has to be known.
        for output in known.iter().filter(|_| ports > 0) {
            let len = output.types(&attrs, self.size).map_or(0, |types| types.len());
            outputs.push((output.name, first, len));
            first += len;
        }
        Named { values, outputs, effects }
    }

    /// Puts a function in place of its call.
    fn call(
        &mut self,
        node: &NodeDef<'a>,
        function: &'a FunctionDef<'a>,
        inputs: Vec<Value>,
        before: &[u32],
        place: Place<'_>,
    ) -> Result<Named<'a>> {
        let prefix = format!("{}{}/", place.prefix, node.name);
        let inner = Place { prefix: &prefix, before, depth: place.depth + 1 };
        let named = self
            .function(function, inputs, inner)
            .map_err(|error| Error::Msg(format!("in `{}{}`: {error}", place.prefix, node.name)))?;
        let name = format!("{}{}", place.prefix, node.name);
        self.spend(name.len() + NODE + 16 * named.values.len())?;
        self.calls.insert(name, named.values.clone());
        Ok(named)
    }

    /// Adds the nodes of a function.
    pub(super) fn function(
        &mut self,
        function: &'a FunctionDef<'a>,
        inputs: Vec<Value>,
        place: Place<'_>,
    ) -> Result<Named<'a>> {
        let name = function.signature.name;
        if place.depth > DEPTH {
            return Err(Error::Msg(format!("calls are more than {DEPTH} deep at `{name}`: a function calls itself")));
        }
        let parameters = &function.signature.inputs;
        if parameters.len() != inputs.len() {
            return Err(Error::Msg(format!(
                "`{name}` takes {} arguments, and the call has {}",
                parameters.len(),
                inputs.len()
            )));
        }
        // Every node of it is looked at again.
        self.spend(function.size / 2)?;
        let mut names = Names::default();
        for (parameter, value) in parameters.iter().zip(inputs) {
            names.insert(parameter.name, Named { values: vec![Some(value)], ..Named::default() });
        }
        self.body(&function.nodes, &mut names, place, |_, _| Ok(None))?;
        let values = function.signature.outputs.iter().map(|output| {
            let reference = function.returns.get(output.name)?;
            names.value(reference).ok()
        });
        let values: Vec<_> = values.collect();
        let mut effects: Vec<u32> = function
            .nodes
            .iter()
            .flat_map(|node| names.get(node.name))
            .flat_map(|named| named.effects.clone())
            .collect();
        effects.sort_unstable();
        effects.dedup();
        self.spend(4 * effects.len())?;
        // To its callers a call has one output, a list.
        Ok(Named { outputs: vec![("output", 0, values.len())], values, effects })
    }
}
