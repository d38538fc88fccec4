//! From a file to the graph of one of its signatures.

use std::collections::{HashMap, HashSet};

use super::inline::{Inliner, Place};
use super::local::{Names, node_of};
use super::variables::Variables;
use super::{Engine, Graph, Input, Node, Output, Port, Value, What};
use super::{lower, restore};
use crate::checkpoint::Checkpoint;
use crate::dtype::Type;
use crate::limits::Budget;
use crate::proto::{GraphDef, MetaGraph, NodeDef, ObjectKind, Signature};
use crate::{Error, Result};

/// The graph of a signature, paid for of a budget.
///
/// # Errors
/// A graph that can't be read, an input or output of several parts, and an output that is not there.
pub fn flatten<E: Engine>(
    meta: &MetaGraph<'_>,
    signature: &Signature<'_>,
    checkpoint: Option<Checkpoint>,
    budget: &Budget,
    engine: &E,
) -> Result<Graph<E>> {
    let mut nodes: HashMap<&str, &NodeDef<'_>> = meta.graph.nodes.iter().map(|node| (node.name, node)).collect();
    let written = lower::lower(&nodes, budget);
    let lowered = GraphDef::parse(&written)?;
    nodes.extend(lowered.nodes.iter().map(|node| (node.name, node)));
    for (name, info) in signature.inputs.iter().chain(&signature.outputs) {
        if info.name.is_empty() {
            return Err(Error::Msg(format!("`{name}` of the signature is not a plain tensor, which is not supported")));
        }
    }
    let ends: Vec<&str> = signature.outputs.values().map(|info| node_of(info.name)).collect();
    let needed = ancestors(&nodes, &ends);
    let variables = Variables::new(engine, checkpoint, meta.objects.as_ref())?;
    let mut inliner = Inliner::new(meta, variables, budget);
    inliner.extend(&lowered.functions);

    let root = root(&nodes, &ends, &inliner)?;
    let mut inputs = Vec::new();
    let mut names = Names::default();
    let mut given = HashMap::new();
    for (name, info) in &signature.inputs {
        let port = Port { ty: Type::of(info.dtype), shape: info.shape.clone() };
        // In a function it is an argument, called as the signature calls it; otherwise it is a node with a name of its own.
        let own = if root.is_some() { name } else { node_of(info.name) };
        let node = inliner.push(Node {
            outputs: vec![port.clone()],
            ..Node::new(own.to_owned(), "Placeholder", What::Input(inputs.len()))
        })?;
        given.insert(node_of(info.name), Value { node, output: 0 });
        inputs.push(Input { name: (*name).to_owned(), node, port });
    }
    let captured = captured(meta, &nodes, &needed, &inliner)?;
    let sources = if meta.objects.is_none() { restore::sources(&nodes, meta.restore) } else { HashMap::new() };
    let place = Place { prefix: "", without: "", siblings: &[], before: &[], depth: 0 };
    let all = meta.graph.nodes.iter().chain(&lowered.nodes);
    let file_order = all.filter(|node| nodes.get(node.name).is_some_and(|own| std::ptr::eq(*own, *node)));
    let file_order = file_order.filter(|node| needed.contains(node.name) && Some(node.name) != root);
    inliner.body(file_order, &mut names, place, |inliner, node| {
        if let Some(value) = given.get(node.name) {
            return Ok(Some(*value));
        }
        let ty = || node.attrs.ty("dtype").ok().flatten().unwrap_or(0);
        let port = || Port { ty: Type::of(ty()), shape: node.attrs.shape("shape").ok().flatten().unwrap_or_default() };
        let variable = match node.op {
            "VarHandleOp" => match captured.get(node.name) {
                Some(object) => inliner.variables.object(*object, port()),
                None => {
                    let shared = node.attrs.str("shared_name")?.filter(|name| !name.is_empty());
                    inliner.variables.named(shared.unwrap_or(node.name), sources.get(node.name), port())
                }
            },
            "VariableV2" | "Variable" => inliner.variables.named(node.name, sources.get(node.name), port()),
            _ => return Ok(None),
        };
        match variable {
            Ok(variable) => inliner.variable(variable, node.op).map(Some),
            // It may be that nothing asks for what depends on it.
            Err(error) => {
                let object = captured.get(node.name).and_then(|object| inliner.variables.name(*object));
                let what = match error {
                    Error::File(why) => What::Unreadable(why),
                    error => What::Unsupported(error.to_string()),
                };
                let node = inliner.push(Node {
                    outputs: vec![Port { ty: Type::of(ty()), shape: Default::default() }],
                    ..Node::new(object.unwrap_or(node.name).to_owned(), node.op, what)
                })?;
                Ok(Some(Value { node, output: 0 }))
            }
        }
    })?;
    if let Some(node) = root.and_then(|root| nodes.get(root)) {
        let arguments: Vec<Value> = data(node).map(|input| names.value(input)).collect::<Result<_>>()?;
        if let Some(function) = inliner.called(node)? {
            let named = inliner.function(function, arguments, Place { depth: 1, ..place })?;
            names.insert(node.name, named);
        }
    }
    let outputs = signature.outputs.iter().map(|(name, info)| {
        let value = names.value(info.name).map_err(|error| Error::Msg(format!("the output `{name}`: {error}")))?;
        Ok(Output { name: (*name).to_owned(), value })
    });
    let outputs = outputs.collect::<Result<_>>()?;
    let Inliner { nodes, bodies, calls, variables, .. } = inliner;
    Ok(Graph { nodes, inputs, outputs, variables: variables.read, calls, bodies })
}

fn data<'n>(node: &'n NodeDef<'_>) -> impl Iterator<Item = &'n str> {
    node.inputs.iter().copied().filter(|input| !input.starts_with('^'))
}

/// The nodes that these depend on, and themselves.
pub(super) fn ancestors<'a>(nodes: &HashMap<&'a str, &'a NodeDef<'a>>, ends: &[&str]) -> HashSet<&'a str> {
    let mut found = HashSet::new();
    let mut left: Vec<&NodeDef<'_>> = ends.iter().filter_map(|name| nodes.get(name).copied()).collect();
    while let Some(node) = left.pop() {
        if found.insert(node.name) {
            left.extend(node.inputs.iter().filter_map(|input| nodes.get(node_of(input)).copied()));
        }
    }
    found
}

/// The one call that gives every output, whose insides then need no prefix: names are those in the signature's function.
fn root<'a, E: Engine>(
    nodes: &HashMap<&'a str, &'a NodeDef<'a>>,
    ends: &[&'a str],
    inliner: &Inliner<'a, E>,
) -> Result<Option<&'a str>> {
    let [first, rest @ ..] = ends else { return Ok(None) };
    let Some(node) = nodes.get(first).filter(|_| rest.iter().all(|end| end == first)) else { return Ok(None) };
    Ok(inliner.called(node)?.map(|_| *first))
}

/// The objects that the nodes are which functions capture.
fn captured<'a, E: Engine>(
    meta: &'a MetaGraph<'a>,
    nodes: &HashMap<&'a str, &'a NodeDef<'a>>,
    needed: &HashSet<&'a str>,
    inliner: &Inliner<'a, E>,
) -> Result<HashMap<&'a str, i64>> {
    let mut captured = HashMap::new();
    let Some(objects) = &meta.objects else { return Ok(captured) };
    for node in needed.iter().filter_map(|name| nodes.get(name)) {
        let Some(function) = inliner.called(node).ok().flatten() else { continue };
        let Some(bound) = objects.bound.get(function.signature.name) else { continue };
        // They come behind the arguments.
        let arguments: Vec<&str> = data(node).collect();
        for (input, object) in arguments.iter().rev().zip(bound.iter().rev()) {
            let kind = usize::try_from(*object).ok().and_then(|id| objects.objects.get(id)).map(|object| &object.kind);
            if matches!(kind, Some(ObjectKind::Variable { .. }))
                && let Some(node) = nodes.get(node_of(input))
                && let Some(other) = captured.insert(node.name, *object)
                && other != *object
            {
                return Err(Error::Msg(format!("`{}` is captured as two variables", node.name)));
            }
        }
    }
    Ok(captured)
}
