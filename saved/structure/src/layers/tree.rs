//! The tree of layers: scopes that have an owner, and what stands beside them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::aliases::{Aliases, Scope, joined, path};
use crate::graph::{Engine, Graph, Value, What};
use crate::limits::{Budget, READER, SCOPE, SCOPE_DEPTH};
use crate::tensors::{Tensors, Within};
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
    /// The scope that it stands in, without the calls of functions.
    pub scope: String,
    /// The name of the layer with those of the branches and loops that it is called in, `net/lstm/while/body/lstm_cell`.
    pub name: String,
    /// Those branches and loops, outermost first; where they end in the scope and in the name.
    pub within: Vec<Within>,
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

    /// Of every call, the name with those of the branches and loops that it stands in: `net/lstm/while/body/lstm_cell`. It means
    /// what others take of that call, in every step; with the number of a step, in one: `net/lstm/while/body.2/lstm_cell`.
    pub fn call_names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.calls.iter().map(|call| call.name.as_str())
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
struct Gathered<'g> {
    path: Vec<Scope<'g>>,
    nodes: Vec<u32>,
}

/// The scope around one, branches and loops left out.
fn parent(path: &[Scope<'_>]) -> Option<String> {
    let (_, before) = path.split_last()?;
    let end = before.iter().rposition(|scope| !scope.is_control)?;
    Some(joined(&before[..=end]))
}

/// The layers of a graph, outer ones first, otherwise in the order in which they are computed.
///
/// # Errors
/// Names of so many parts that their scopes would take more memory than the file's budget has.
pub fn layers<E: Engine>(
    graph: &Graph<E>,
    aliases: &Aliases,
    tensors: &Tensors,
    budget: &Budget,
) -> Result<Vec<Layer>> {
    let mut scopes: HashMap<String, Gathered<'_>> = HashMap::new();
    let mut order: Vec<String> = Vec::new();
    let mut is_node = HashSet::new();
    for (index, node) in (0..).zip(&graph.nodes) {
        if matches!(node.what, What::Variable(_) | What::Input(_)) {
            continue;
        }
        let path = path(graph, index);
        is_node.insert(joined(&path));
        for end in (1..path.len().min(SCOPE_DEPTH)).filter(|end| !path[end - 1].is_control) {
            let scope = joined(&path[..end]);
            if !scopes.contains_key(&scope) {
                // Its name is in three maps, and every part of it in a list.
                let paid = budget.spend(SCOPE + 5 * scope.len() + 40 * end);
                paid.map_err(|error| Error::Msg(format!("the names of its scopes: {error}")))?;
            }
            let entry = scopes.entry(scope).or_insert_with_key(|scope| {
                order.push(scope.clone());
                Gathered { path: path[..end].to_vec(), nodes: Vec::new() }
            });
            entry.nodes.push(index);
        }
    }
    let readers = readers(graph, aliases);
    let is_owner = |scope: &String| aliases.is_known(scope) || readers.contains(scope);
    // Layers that hold layers: what else stands in them is a layer, too.
    let holders: HashSet<String> =
        order.iter().filter(|scope| is_owner(scope)).filter_map(|scope| parent(&scopes[scope].path)).collect();
    let consumers = consumers(graph);
    let mut layers: BTreeMap<String, Layer> = BTreeMap::new();
    let mut first = Vec::new();
    for scope in &order {
        let path = &scopes[scope].path;
        let names = aliases.of_scope(path);
        let name = names.owned;
        let beside = || {
            let in_holder = parent(path).is_some_and(|parent| holders.contains(&parent));
            in_holder && !aliases.is_operation(path) && !is_helper(graph, &scopes[scope].nodes)
        };
        let shown = !is_node.contains(scope) && (is_owner(scope) || holders.contains(scope) || beside());
        let nodes = &scopes[scope].nodes;
        let layer = layers.entry(name.clone()).or_insert_with(|| {
            first.push(name.clone());
            Layer { name, calls: Vec::new(), variables: Vec::new(), shown: false }
        });
        layer.shown |= shown;
        let within = names.bodies.iter().map(|end| Within {
            body: end.body,
            is_repeated: graph.bodies[end.body as usize].part.is_repeated(),
            name_end: end.scope,
            short_end: end.short,
        });
        layer.calls.push(Call {
            scope: scope.clone(),
            name: names.short,
            within: within.collect(),
            outputs: outputs(nodes, &consumers, tensors),
        });
        // Of a layer that is called once all are new.
        let known: HashSet<String> = layer.variables.iter().map(|(name, _)| name.clone()).collect();
        layer.variables.extend(variables(graph, nodes).into_iter().filter(|(name, _)| !known.contains(name)));
    }
    Ok(first.into_iter().filter_map(|name| layers.remove(&name)).collect())
}

/// Whether nodes only hand things on to a loop or to TensorFlow 1's arrays: constants, and elements of lists.
fn is_helper<E: Engine>(graph: &Graph<E>, nodes: &[u32]) -> bool {
    let helps = |node: &u32| {
        let node = &graph.nodes[*node as usize];
        let op = &*node.op;
        matches!(node.what, What::Constant(_)) || op.starts_with("TensorList") || op.starts_with("TensorArray")
    };
    nodes.iter().all(helps)
}

/// The scopes in which weights are read whose names do not tell whose they are.
///
/// Keras calls the weights of layers that are built while an outer one is called by the outer one: those of `net/dense` and
/// `net/dense_1` are all `net/kernel`. They belong where what is read and what takes it stand together: in a scope that is
/// numbered as those of layers are, or, where none are, if there are several weights of the name.
fn readers<E: Engine>(graph: &Graph<E>, aliases: &Aliases) -> HashSet<String> {
    let mut alike: HashMap<&str, usize> = HashMap::new();
    graph.variables.iter().for_each(|variable| *alike.entry(&variable.name).or_default() += 1);
    // How many weights there are of the name of the one that is read.
    let read = |node: u32| {
        let inputs = graph.nodes[node as usize].inputs.iter();
        inputs
            .filter_map(|input| match graph.nodes[graph.source(*input).node as usize].what {
                What::Variable(place) => Some(alike[graph.variables[place].name.as_str()]),
                _ => None,
            })
            .max()
    };
    // One name is looked at for every input: a long one would take long, and is nobody's.
    let is_short = |node: u32| graph.nodes[node as usize].name.len() < READER;
    let mut readers = HashSet::new();
    for (index, node) in (0..).zip(&graph.nodes) {
        for input in &node.inputs {
            let reads = graph.source(*input).node;
            if &*graph.nodes[reads as usize].op != "ReadVariableOp" || !is_short(reads) || !is_short(index) {
                continue;
            }
            let Some(alike) = read(reads) else { continue };
            let (from, to) = (path(graph, reads), path(graph, index));
            let scopes = from.len().min(to.len()).min(SCOPE_DEPTH).saturating_sub(1);
            let same = (0..scopes).take_while(|at| from[*at].part == to[*at].part).count();
            if !aliases.is_numbered(&from) && alike < 2 {
                continue;
            }
            let end = (0..same).rev().find(|at| !from[*at].is_control && !aliases.is_operation(&from[..=*at]));
            readers.extend(end.map(|end| joined(&from[..=end])));
        }
    }
    readers
}

/// Of every value, the nodes that take it; the outputs of the model are taken by none of them.
fn consumers<E: Engine>(graph: &Graph<E>) -> HashMap<Value, Vec<u32>> {
    let mut consumers: HashMap<Value, Vec<u32>> = HashMap::new();
    for (index, node) in (0..).zip(&graph.nodes) {
        for input in &node.inputs {
            consumers.entry(*input).or_default().push(index);
        }
    }
    for body in &graph.bodies {
        body.outputs.iter().for_each(|output| consumers.entry(*output).or_default().push(body.control));
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
        let node = &graph.nodes[graph.source(*input).node as usize];
        match node.what {
            What::Variable(place) => Some((place, &node.name)),
            _ => None,
        }
    });
    let mut seen = BTreeSet::new();
    let new = variables.filter(|(place, _)| seen.insert(*place));
    new.map(|(place, name)| (name.clone(), graph.variables[place].shape.clone())).collect()
}
