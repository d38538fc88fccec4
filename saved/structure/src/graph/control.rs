//! Branches and loops: functions that are called as often as values say.
//!
//! Their nodes stand in the list with all others, right before the node that calls them. What is in a function has the
//! name of the node in front, and what TensorFlow calls the function there: `net/lstm/while/body/lstm_cell/MatMul`.

use std::collections::HashSet;
use std::ops::Range;

use super::inline::{Inliner, Place};
use super::{Engine, Graph, Node, Port, Value, What};
use crate::dtype::Type;
use crate::limits::CALLS_OF_LOOP;
use crate::proto::{Attrs, FunctionDef, NodeDef};
use crate::{Error, Result};

/// A function that a branch or a loop calls. Its first nodes are its arguments.
#[derive(Debug)]
pub struct Body {
    /// Its name, which those of its nodes begin with: `lstm/while/body`.
    pub name: String,
    /// What it is to the node that calls it.
    pub part: Part,
    /// The node that calls it.
    pub control: u32,
    /// Its nodes, those in branches and loops inside included.
    pub nodes: Range<u32>,
    /// The nodes that stand for what it is given.
    pub arguments: Vec<u32>,
    /// What it gives.
    pub outputs: Vec<Value>,
}

/// What a function is to the node that calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What is called or not: which one.
    Branch(usize),
    /// What says whether a loop makes another step.
    Condition,
    /// A step of a loop.
    Step,
}

impl Part {
    /// Whether one run may call it several times.
    pub fn is_repeated(self) -> bool {
        !matches!(self, Part::Branch(_))
    }
}

impl<E: Engine> Graph<E> {
    /// The function that a node stands in, if it is one that a branch or a loop calls.
    pub fn body(&self, node: u32) -> Option<&Body> {
        self.nodes[node as usize].within.map(|body| &self.bodies[body as usize])
    }

    /// The functions that a node stands in, innermost first.
    pub fn bodies_around(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let outer = |body: &u32| self.nodes[self.bodies[*body as usize].control as usize].within;
        std::iter::successors(self.nodes[node as usize].within, outer)
    }

    /// The functions that a node calls as often as values say.
    pub fn bodies_of(&self, node: u32) -> &[u32] {
        match &self.nodes[node as usize].what {
            What::Branch { bodies, .. } => bodies,
            What::Loop { bodies } => bodies,
            _ => &[],
        }
    }

    /// Where a value comes from that is handed through functions as it is.
    pub fn source(&self, mut value: Value) -> Value {
        while let (What::Input(at), Some(body)) = (&self.nodes[value.node as usize].what, self.body(value.node)) {
            let inputs = &self.nodes[body.control as usize].inputs;
            let outer = match body.part {
                Part::Branch(_) => inputs.get(at + 1),
                Part::Condition | Part::Step => {
                    let step = self.bodies_of(body.control).last().map(|step| &self.bodies[*step as usize]);
                    let same = step.filter(|step| step.outputs[*at].node == step.arguments[*at]);
                    same.and_then(|_| inputs.get(*at))
                }
            };
            match outer {
                Some(outer) => value = *outer,
                None => return value,
            }
        }
        value
    }
}

/// A node that calls functions, and what is known where it stands.
pub(super) struct Caller<'c, 'a> {
    pub(super) node: &'c NodeDef<'a>,
    pub(super) attrs: &'c Attrs<'a>,
    pub(super) inputs: &'c [Value],
    pub(super) place: Place<'c>,
}

impl<'a, E: Engine> Inliner<'a, E> {
    /// What a branch or a loop does. `None` for any other node. If it is wrong, nothing of it is left.
    pub(super) fn control(&mut self, caller: &Caller<'_, 'a>) -> Result<Option<What<E>>> {
        let (nodes, bodies) = (self.nodes.len(), self.bodies.len());
        let what = self.functions_of(caller);
        if what.is_err() {
            self.forget(nodes, bodies);
        }
        what
    }

    fn functions_of(&mut self, caller: &Caller<'_, 'a>) -> Result<Option<What<E>>> {
        let attrs = caller.attrs;
        let what = match caller.node.op {
            "If" | "StatelessIf" => {
                // The condition is true or false, and branches are counted from 0.
                let no = self.body_of(attrs.function("else_branch")?, Part::Branch(0), "else_branch", caller)?;
                let yes = self.body_of(attrs.function("then_branch")?, Part::Branch(1), "then_branch", caller)?;
                What::Branch { bodies: vec![no, yes], condition: true }
            }
            "Case" | "StatelessCase" => {
                let branches = attrs.functions("branches")?.into_iter().enumerate();
                let bodies =
                    branches.map(|(at, name)| self.body_of(name, Part::Branch(at), &format!("branch_{at}"), caller));
                What::Branch { bodies: bodies.collect::<Result<_>>()?, condition: false }
            }
            "While" | "StatelessWhile" => {
                let condition = self.body_of(attrs.function("cond")?, Part::Condition, "cond", caller)?;
                let body = self.body_of(attrs.function("body")?, Part::Step, "body", caller)?;
                What::Loop { bodies: [condition, body] }
            }
            _ => return Ok(None),
        };
        let (inputs, outputs) = (caller.inputs.len(), self.ports(caller.node)?.len());
        let sizes = |body: &u32| {
            let body = &self.bodies[*body as usize];
            (body.arguments.len(), body.outputs.len())
        };
        match &what {
            What::Branch { bodies, .. } => {
                let first = bodies.first().map_or(0, |body| sizes(body).1);
                let same = bodies.iter().all(|body| sizes(body) == (inputs.wrapping_sub(1), first));
                if bodies.is_empty() || !same || first < outputs {
                    return Err(Error::Msg("its branches do not take and give the same".to_owned()));
                }
            }
            What::Loop { bodies: [condition, body] }
                if sizes(condition) != (inputs, 1) || sizes(body) != (inputs, inputs) || inputs < outputs =>
            {
                return Err(Error::Msg("its functions do not take and give what it takes".to_owned()));
            }
            _ => {}
        }
        Ok(Some(what))
    }

    fn body_of(&mut self, name: &str, part: Part, called: &str, caller: &Caller<'_, 'a>) -> Result<u32> {
        let function = self.function_of(name)?;
        let own = caller.place.free(&format!("{}/{called}", caller.node.name));
        let own = caller.place.name(&own);
        let first = self.nodes.len();
        let (arguments, outputs) = self.nested(function, part, &own, caller)?;
        let index = u32::try_from(self.bodies.len()).map_err(Error::wrap)?;
        let nodes = first as u32..self.nodes.len() as u32;
        for node in &mut self.nodes[first..] {
            node.within.get_or_insert(index);
        }
        self.bodies.push(Body { name: own, part, control: 0, nodes, arguments, outputs });
        Ok(index)
    }

    /// The arguments and outputs of a function whose nodes belong to a call.
    fn nested(
        &mut self,
        function: &'a FunctionDef<'a>,
        part: Part,
        own: &str,
        caller: &Caller<'_, 'a>,
    ) -> Result<(Vec<u32>, Vec<Value>)> {
        let first = self.nodes.len() as u32;
        let prefix = format!("{own}/");
        let given = match part {
            Part::Branch(_) => caller.inputs.get(1..).unwrap_or_default(),
            _ => caller.inputs,
        };
        // What a loop is given may be of another shape in later steps.
        let shapes = if part.is_repeated() { caller.attrs.output_shapes()? } else { Vec::new() };
        let mut arguments = Vec::new();
        for (at, parameter) in function.signature.inputs.iter().enumerate() {
            let ty = parameter.types(&Attrs::default(), 1)?.first().copied().unwrap_or(0);
            let outer = given.get(at).copied();
            let port = outer.and_then(|value| self.nodes[value.node as usize].outputs.get(value.output as usize));
            let shape = if part.is_repeated() { shapes.get(at) } else { port.map(|port| &port.shape) };
            let shape = shape.cloned().unwrap_or_default();
            let node = self.push(Node {
                outputs: vec![Port { ty: Type::of(ty), shape }],
                ..Node::new(format!("{prefix}{}", parameter.name), "Placeholder", What::Input(at))
            })?;
            if let Some(outer) = outer {
                self.captured.insert(node, outer);
            }
            arguments.push(node);
        }
        let inner = format!("{}/", caller.node.name);
        let place = Place {
            prefix: &prefix,
            without: if stays_apart(function, &inner) { &inner } else { "" },
            depth: caller.place.depth + CALLS_OF_LOOP,
            siblings: &[],
            before: caller.place.before,
        };
        let values = arguments.iter().map(|node| Value { node: *node, output: 0 }).collect();
        let named = self.function(function, values, place)?;
        if named.effects.iter().any(|effect| *effect >= first) {
            let name = function.signature.name;
            return Err(Error::Msg(format!("`{name}` writes to a variable, which nothing does here")));
        }
        let missing = || Error::Msg(format!("`{}` does not give all its outputs", function.signature.name));
        let outputs = named.values.into_iter().map(|value| value.ok_or_else(missing)).collect::<Result<_>>()?;
        Ok((arguments, outputs))
    }

    /// Takes nodes and bodies back.
    fn forget(&mut self, nodes: usize, bodies: usize) {
        for node in self.nodes.drain(nodes..) {
            self.taken.remove(&node.name);
        }
        self.bodies.truncate(bodies);
        let stays = |node: u32| (node as usize) < nodes;
        self.behind.retain(|node, _| stays(*node));
        self.captured.retain(|node, _| stays(*node));
        self.calls.retain(|_, values| values.iter().flatten().all(|value| stays(value.node)));
    }

    /// Once a node has its place: its functions know it, and can't be computed if it can't.
    pub(super) fn called_by(&mut self, control: u32) {
        let node = &self.nodes[control as usize];
        let blocked = node.blocked;
        let bodies = match &node.what {
            What::Branch { bodies, .. } => bodies.clone(),
            What::Loop { bodies } => bodies.to_vec(),
            _ => return,
        };
        for body in bodies {
            let body = &mut self.bodies[body as usize];
            body.control = control;
            if let Some(blame) = blocked {
                for node in &mut self.nodes[body.nodes.start as usize..body.nodes.end as usize] {
                    node.blocked.get_or_insert(blame);
                }
            }
        }
    }
}

/// Whether the names in a function differ, too, without what they begin with.
fn stays_apart(function: &FunctionDef<'_>, without: &str) -> bool {
    let arguments = function.signature.inputs.iter().map(|parameter| parameter.name);
    let nodes = function.nodes.iter().map(|node| super::inline::without(node.name, without));
    let mut seen = HashSet::new();
    arguments.chain(nodes).all(|name| seen.insert(name))
}
