//! The tree of layers: scopes that have an owner, and what stands beside them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::aliases::{Aliases, DEPTH, parts};
use crate::graph::{Engine, Graph, Value, What};
use crate::tensors::Tensors;
use crate::{Error, Result};

/// A layer of a saved model.
#[derive(Clone, Debug)]
pub struct Layer {
    #[doc(hidden)]
    pub name: String,
    #[doc(hidden)]
    pub calls: Vec<Call>,
    #[doc(hidden)]
    pub variables: Vec<(String, Vec<usize>)>,
    /// Whether it is shown in a summary: scopes of operations are found by name, too.
    #[doc(hidden)]
    pub shown: bool,
}

/// One call of a layer.
#[derive(Clone, Debug)]
pub struct Call {
    /// The values that others take of it.
    pub outputs: Vec<Value>,
}

impl Layer {
    /// Its name with those of the layers that it stands in, `custom/two/d1`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often the model calls it.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// The variables in it and in the layers inside it, with their shapes, each once.
    pub fn variables(&self) -> impl ExactSizeIterator<Item = (&str, &[usize])> {
        self.variables.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()))
    }

    /// The number of weights in it.
    pub fn parameters(&self) -> usize {
        let sizes = self.variables.iter().map(|(_, shape)| shape.iter().product());
        sizes.fold(0, usize::saturating_add)
    }
}

/// What is gathered of a scope.
#[derive(Default)]
struct Scope {
    nodes: Vec<u32>,
}

/// The most that the names of all scopes have together, in bytes.
const NAMES: usize = 1 << 25;

/// The layers of a graph, outer ones first, otherwise in the order in which they are computed.
///
/// # Errors
/// Names of so many parts that their scopes would take more memory than any graph's.
pub fn layers<E: Engine>(graph: &Graph<E>, aliases: &Aliases, tensors: &Tensors) -> Result<Vec<Layer>> {
    let mut scopes: HashMap<String, Scope> = HashMap::new();
    let mut order: Vec<String> = Vec::new();
    let mut is_node = HashSet::new();
    let mut left = NAMES;
    for (index, node) in (0..).zip(&graph.nodes) {
        if matches!(node.what, What::Variable(_) | What::Input(_)) {
            continue;
        }
        let parts = parts(&node.name);
        is_node.insert(parts.join("/"));
        for end in 1..parts.len().min(DEPTH) {
            let scope = parts[..end].join("/");
            if !scopes.contains_key(&scope) {
                let rest = left.checked_sub(scope.len());
                left = rest.ok_or_else(|| {
                    Error::Msg(format!("the names of its scopes are longer than {NAMES} bytes together"))
                })?;
            }
            let entry = scopes.entry(scope).or_insert_with_key(|scope| {
                order.push(scope.clone());
                Scope::default()
            });
            entry.nodes.push(index);
        }
    }
    // Layers that hold layers: what else stands in them is a layer, too.
    let parent = |scope: &str| scope.rsplit_once('/').map(|(parent, _)| parent.to_owned());
    let holders: HashSet<String> =
        order.iter().filter(|scope| aliases.is_known(scope)).filter_map(|s| parent(s)).collect();
    let consumers = consumers(graph);
    let mut layers: BTreeMap<String, Layer> = BTreeMap::new();
    let mut first = Vec::new();
    for scope in &order {
        let own: Vec<&str> = scope.split('/').collect();
        let name = aliases.of_scope(&own);
        let beside = parent(scope).is_some_and(|parent| holders.contains(&parent));
        let shown = !is_node.contains(scope) && (aliases.is_known(scope) || holders.contains(scope) || beside);
        let nodes = &scopes[scope].nodes;
        let layer = layers.entry(name.clone()).or_insert_with(|| {
            first.push(name.clone());
            Layer { name, calls: Vec::new(), variables: Vec::new(), shown: false }
        });
        layer.shown |= shown;
        layer.calls.push(Call { outputs: outputs(nodes, &consumers, tensors) });
        // Of a layer that is called once all are new.
        let known: HashSet<String> = layer.variables.iter().map(|(name, _)| name.clone()).collect();
        layer.variables.extend(variables(graph, nodes).into_iter().filter(|(name, _)| !known.contains(name)));
    }
    Ok(first.into_iter().filter_map(|name| layers.remove(&name)).collect())
}

/// Of every value, the nodes that take it; the outputs of the model are taken by none of them.
fn consumers<E: Engine>(graph: &Graph<E>) -> HashMap<Value, Vec<u32>> {
    let mut consumers: HashMap<Value, Vec<u32>> = HashMap::new();
    for (index, node) in (0..).zip(&graph.nodes) {
        for input in &node.inputs {
            consumers.entry(*input).or_default().push(index);
        }
    }
    for output in &graph.outputs {
        consumers.entry(output.value).or_default().push(u32::MAX);
    }
    consumers
}

/// The values of some nodes that others take.
fn outputs(nodes: &[u32], consumers: &HashMap<Value, Vec<u32>>, tensors: &Tensors) -> Vec<Value> {
    let inside: BTreeSet<u32> = nodes.iter().copied().collect();
    let taken =
        |value: &Value| consumers.get(value).is_some_and(|takers| takers.iter().any(|taker| !inside.contains(taker)));
    let all = nodes.iter().flat_map(|node| tensors.of_node(*node));
    all.filter(|tensor| !tensor.fixed).map(|tensor| tensor.value).filter(taken).collect()
}

/// The variables that some nodes read.
fn variables<E: Engine>(graph: &Graph<E>, nodes: &[u32]) -> Vec<(String, Vec<usize>)> {
    let inputs = nodes.iter().flat_map(|node| &graph.nodes[*node as usize].inputs);
    let variables = inputs.filter_map(|input| {
        let node = &graph.nodes[input.node as usize];
        match node.what {
            What::Variable(place) => Some((place, &node.name)),
            _ => None,
        }
    });
    let mut seen = BTreeSet::new();
    let new = variables.filter(|(place, _)| seen.insert(*place));
    new.map(|(place, name)| (name.clone(), graph.variables[place].shape.clone())).collect()
}
