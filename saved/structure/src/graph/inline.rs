//! Puts the nodes of a function in place of every call of it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::control::{Body, Caller};
use super::known::known;
use super::local::{Named, Names, order};
use super::lower;
use super::variables::Variables;
use super::{Engine, Node, Port, Value, What};
use crate::dtype::Type;
use crate::limits::{Budget, CALL_DEPTH, NODE, OUTPUTS, REASON};
use crate::proto::{Attr, Attrs, FunctionDef, MetaGraph, NodeDef, OpDef, Shape, TensorProto};
use crate::record::told;
use crate::{Error, Result};

/// The nodes so far, and what new ones are made from.
pub(super) struct Inliner<'a, E: Engine> {
    functions: HashMap<&'a str, &'a FunctionDef<'a>>,
    ops: HashMap<&'a str, &'a OpDef<'a>>,
    pub(super) nodes: Vec<Node<E>>,
    pub(super) bodies: Vec<Body>,
    pub(super) variables: Variables<'a, E>,
    /// Names that are taken, and the number that the next node of that name may have.
    pub(super) taken: HashMap<String, usize>,
    /// Constants that were read, by where they stand in the file.
    constants: HashMap<usize, E::Tensor>,
    /// What nodes do in words, by where they stand in the file.
    told: HashMap<usize, Arc<str>>,
    /// The node of every variable.
    handles: HashMap<usize, u32>,
    /// Of nodes behind effects, which.
    pub(super) behind: HashMap<u32, Vec<u32>>,
    /// Of nodes that stand for arguments of functions, what is given first.
    pub(super) captured: HashMap<u32, Value>,
    /// The values of calls, by their names.
    pub(super) calls: HashMap<String, Vec<Option<Value>>>,
    /// What may yet be taken of memory: functions that call others twice could make a great graph of a small file.
    budget: &'a Budget,
}

/// What is inlined: where it stands, and what has happened before.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    /// What is put in front of the names.
    pub(super) prefix: &'p str,
    /// What is left out at the beginning of names.
    pub(super) without: &'p str,
    /// The names of the nodes beside it, in the order of letters.
    pub(super) siblings: &'p [&'p str],
    /// The nodes with effects that have run before.
    pub(super) before: &'p [u32],
    pub(super) depth: usize,
}

/// A name without what it begins with.
pub(super) fn without<'n>(name: &'n str, beginning: &str) -> &'n str {
    name.strip_prefix(beginning).filter(|rest| !rest.is_empty()).unwrap_or(name)
}

impl Place<'_> {
    /// The whole name of a node.
    pub(super) fn name(&self, own: &str) -> String {
        format!("{}{}", self.prefix, without(own, self.without))
    }

    /// A name that no node beside it has, and that none of their names begins with.
    pub(super) fn free(&self, name: &str) -> String {
        let begins = |with: &str| {
            let place = self.siblings.partition_point(|other| *other < with);
            self.siblings.get(place).is_some_and(|other| other.starts_with(with))
        };
        let is_free = |name: &String| {
            self.siblings.binary_search(&name.as_str()).is_err()
                && !begins(&format!("{name}/"))
                && !begins(&format!("{name}."))
        };
        let numbered = (2..).map(|number| format!("{name}#{number}"));
        std::iter::once(name.to_owned()).chain(numbered).find(is_free).unwrap_or_default()
    }
}

/// Cuts off what nobody reads: names in a file may be of any length, and stand in the errors of many nodes.
fn shorten(text: &mut String) {
    if text.len() > REASON {
        text.truncate(text.floor_char_boundary(REASON));
        text.push('…');
    }
}

/// Whether an operation writes to a variable.
fn has_effects(op: &str) -> bool {
    op.starts_with("Assign") || op.starts_with("ResourceApply") || op.starts_with("ResourceScatter")
}

impl<'a, E: Engine> Inliner<'a, E> {
    pub(super) fn new(meta: &'a MetaGraph<'a>, variables: Variables<'a, E>, budget: &'a Budget) -> Self {
        Inliner {
            functions: meta.graph.functions.iter().map(|f| (f.signature.name, f)).collect(),
            // What the file says goes before what is known of it.
            ops: known().map(|op| (op.name, op)).chain(meta.ops.iter().map(|op| (op.name, op))).collect(),
            nodes: Vec::new(),
            bodies: Vec::new(),
            variables,
            taken: HashMap::new(),
            constants: HashMap::new(),
            told: HashMap::new(),
            handles: HashMap::new(),
            behind: HashMap::new(),
            captured: HashMap::new(),
            calls: HashMap::new(),
            budget,
        }
    }

    /// Adds functions that are not in the file's library.
    pub(super) fn extend(&mut self, functions: &'a [FunctionDef<'a>]) {
        self.functions.extend(functions.iter().map(|function| (function.signature.name, function)));
    }

    /// A function by its name.
    pub(super) fn function_of(&self, name: &str) -> Result<&'a FunctionDef<'a>> {
        let found = self.functions.get(name).copied();
        found.ok_or_else(|| Error::Msg(format!("it calls the function `{name}`, which is not in the file")))
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
        let sizes: usize = node.outputs.iter().filter_map(|port| Some(port.shape.0.as_ref()?.len())).sum();
        let values = node.inputs.len() + node.outputs.len();
        self.budget.spend(NODE + 2 * node.name.len() + 32 * values + 8 * sizes)?;
        let mut node = node;
        if let Some(first) = self.taken.get(&node.name).copied() {
            let names = (first..).map(|number| (number + 1, format!("{}#{number}", node.name)));
            if let Some((next, name)) = names.into_iter().find(|(_, name)| !self.taken.contains_key(name)) {
                self.taken.insert(std::mem::replace(&mut node.name, name), next);
            }
        }
        self.taken.insert(node.name.clone(), 2);
        if let What::Unsupported(why) | What::Unreadable(why) = &mut node.what {
            shorten(why);
        }
        let index = u32::try_from(self.nodes.len()).map_err(Error::wrap)?;
        let unsupported = matches!(node.what, What::Unsupported(_) | What::Unreadable(_)).then_some(index);
        let bodies = match &node.what {
            What::Branch { bodies, .. } => bodies.as_slice(),
            What::Loop { bodies } => bodies,
            _ => &[],
        };
        let inside = bodies.iter().flat_map(|body| &self.bodies[*body as usize].outputs);
        let nodes = &self.nodes;
        let blame = |value: &Value| nodes[value.node as usize].blocked;
        node.blocked = unsupported.or_else(|| node.inputs.iter().chain(inside).find_map(blame));
        self.nodes.push(node);
        self.called_by(index);
        Ok(index)
    }

    /// The node of a weight.
    pub(super) fn variable(&mut self, place: usize, op: &str) -> Result<Value> {
        if let Some(node) = self.handles.get(&place) {
            return Ok(Value { node: *node, output: 0 });
        }
        let variable = &self.variables.read[place];
        let sizes = variable.shape.iter().map(|size| *size as i64).collect();
        let node = Node {
            outputs: vec![Port { ty: variable.ty, shape: Shape(Some(sizes)) }],
            ..Node::new(variable.name.clone(), op, What::Variable(place))
        };
        let node = self.push(node)?;
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
        let mut siblings: Vec<&str> = nodes.iter().map(|node| node.name).collect();
        siblings.sort_unstable();
        let place = Place { siblings: &siblings, ..place };
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
                self.budget.spend(4 * effects.len())?;
                before.extend(effects);
                continue;
            }
            match names.value(input) {
                Ok(value) => {
                    let effects = self.behind.get(&value.node).map_or(0, Vec::len);
                    self.budget.spend(4 * effects)?;
                    before.extend(self.behind.get(&value.node).into_iter().flatten());
                    inputs.push(value);
                }
                Err(error) => missing = missing.or(Some(error.to_string())),
            }
        }
        before.sort_unstable();
        before.dedup();
        self.budget.spend(4 * before.len())?;
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
        let targets: HashSet<Value> =
            if before.is_empty() { HashSet::new() } else { inputs.iter().map(|input| self.outer(*input)).collect() };
        let written = |assign: &u32| {
            let target = self.outer(*self.nodes[*assign as usize].inputs.first()?);
            targets.contains(&target).then_some(*assign)
        };
        if let Some(assign) = before.iter().find_map(written) {
            let name = &self.nodes[assign as usize].name;
            return What::Unsupported(format!("it reads what `{name}` has written, and nothing is written here"));
        }
        self.made(node, inputs, Place { before, ..place }).unwrap_or_else(|error| What::Unsupported(error.to_string()))
    }

    /// What is given first, of a value that stands for an argument.
    fn outer(&self, mut value: Value) -> Value {
        while let Some(outer) = self.captured.get(&value.node) {
            value = *outer;
        }
        value
    }

    fn made(&mut self, node: &NodeDef<'a>, inputs: &[Value], place: Place<'_>) -> Result<What<E>> {
        let attrs = self.attrs(node);
        if let Some(what) = self.control(&Caller { node, attrs: &attrs, inputs, place })? {
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
            Attr::Tensor(message) => self.variables.engine.constant(&TensorProto::parse(message)?)?,
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
        let told = self.told(node);
        self.push(Node { inputs, outputs, told, ..Node::new(place.name(node.name), node.op, what) })
    }

    /// What a node does, in words.
    fn told(&mut self, node: &NodeDef<'a>) -> Option<Arc<str>> {
        if !self.variables.engine.records() {
            return None;
        }
        let ops = &self.ops;
        let told = self.told.entry(std::ptr::from_ref(node).addr()).or_insert_with(|| {
            let constant = match (node.op, node.attrs.get("value")) {
                ("Const", Ok(Some(Attr::Tensor(message)))) => told::constant(message).ok().flatten(),
                _ => None,
            };
            // Text and what can't be read can't be computed, and neither can what depends on it.
            let words = match (constant, node.op) {
                (Some(constant), _) => constant,
                (None, "Const") => node.op.to_owned(),
                (None, op) => told::operation(op, &node.attrs, ops.get(op).copied()),
            };
            words.into()
        });
        Some(told.clone())
    }

    /// The outputs of a node.
    pub(super) fn ports(&mut self, node: &NodeDef<'a>) -> Result<Vec<Port>> {
        let attrs = self.attrs(node);
        let mut types = Vec::new();
        match self.ops.get(node.op).copied() {
            Some(op) if op.outputs.len() > OUTPUTS => {
                return Err(Error::Msg(format!("the operation has {} outputs", op.outputs.len())));
            }
            Some(op) => {
                for output in &op.outputs {
                    let own = output.types(&attrs, self.budget.size())?;
                    self.budget.spend(output.cost(&attrs) + 32 * own.len())?;
                    types.extend(own);
                }
            }
            // Old files describe no operations. Nearly all have one output, of the type `T`.
            None if node.attrs.output_shapes()?.len() > 1 => {
                return Err(Error::Msg(
                    "it gives several values, and the file does not say what they are called".to_owned(),
                ));
            }
            None => {
                types.push(node.attrs.ty("T").ok().flatten().or(node.attrs.ty("dtype").ok().flatten()).unwrap_or(0))
            }
        }
        // What is a list is no float, which its flow is called.
        if lower::flows(node.op) {
            types.iter_mut().for_each(|ty| *ty = lower::VARIANT);
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
        let known = self.ops.get(node.op).map_or(&[][..], |op| &op.outputs);
        // Of a node without values nothing has to be known.
        for output in known.iter().filter(|_| ports > 0) {
            let len = output.types(&attrs, self.budget.size()).map_or(0, |types| types.len());
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
        let name = place.name(node.name);
        let prefix = format!("{name}/");
        let inner = Place { prefix: &prefix, without: "", siblings: &[], before, depth: place.depth + 1 };
        let named =
            self.function(function, inputs, inner).map_err(|error| Error::Msg(format!("in `{name}`: {error}")))?;
        self.budget.spend(name.len() + NODE + 16 * named.values.len())?;
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
        if place.depth > CALL_DEPTH {
            return Err(Error::Msg(format!(
                "calls are more than {CALL_DEPTH} deep at `{name}`: a function calls itself"
            )));
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
        self.budget.spend(function.size / 2)?;
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
        self.budget.spend(4 * effects.len())?;
        // To its callers a call has one output, a list.
        Ok(Named { outputs: vec![("output", 0, values.len())], values, effects })
    }
}
