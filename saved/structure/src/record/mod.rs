//! What is written down of a structure, so that a file that is opened later can be compared with it, and its tensors found by
//! where they stand: operations with their attributes, types and shapes, constants, who owns the weights, and how all is
//! connected. The names are written down too, and are for people: a process gives other ones the next time.

mod compare;
mod hash;
mod names;
mod order;
pub(crate) mod told;

pub use compare::Match;

use crate::graph::{Engine, Value, What};
use crate::open::Structure;
use order::Order;

/// A value: which node of the record, and which of its outputs.
pub type Place = (u32, u32);

/// A node: its name by layers, what it does, what it takes, what it gives.
#[derive(Clone, Copy, Debug)]
pub struct Node<'r>(pub &'r str, pub &'r str, pub &'r [Place], pub &'r str);

/// A structure as it is written down.
#[derive(Clone, Copy, Debug)]
pub struct Record<'r> {
    /// The names of the inputs, which are the first nodes.
    pub inputs: &'r [&'r str],
    /// The outputs by name.
    pub outputs: &'r [(&'r str, Place)],
    /// Every node behind those that it takes values of.
    pub nodes: &'r [Node<'r>],
}

/// A node of a file that is open.
#[derive(Debug)]
struct Line {
    name: String,
    what: String,
    takes: Vec<Place>,
    gives: String,
}

/// A record of a file that is open.
#[derive(Debug)]
pub struct Recorded {
    inputs: Vec<String>,
    outputs: Vec<(String, Place)>,
    lines: Vec<Line>,
    /// Of each node, the place of the first tensor that it gives.
    first: Vec<u32>,
    order: Order,
}

impl Recorded {
    /// Calls `f` with what is to be written down.
    pub fn with<T>(&self, f: impl FnOnce(Record<'_>) -> T) -> T {
        let inputs: Vec<&str> = self.inputs.iter().map(String::as_str).collect();
        let outputs: Vec<_> = self.outputs.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let nodes: Vec<_> = self.lines.iter().map(Line::node).collect();
        f(Record { inputs: &inputs, outputs: &outputs, nodes: &nodes })
    }

    /// The place of a tensor among all that the nodes give.
    pub fn tensor(&self, value: Value) -> Option<u32> {
        let node = self.order.places[value.node as usize]?;
        self.first[node as usize].checked_add(value.output)
    }

    /// The number of a function of a branch or a loop.
    pub fn body(&self, body: u32) -> Option<u32> {
        self.order.bodies.iter().position(|own| *own == body).map(|at| at as u32)
    }
}

impl Line {
    fn node(&self) -> Node<'_> {
        Node(&self.name, &self.what, &self.takes, &self.gives)
    }
}

impl<E: Engine> Structure<E> {
    /// What is to be written down. The engine must be one that [records](Engine::records).
    pub fn record(&self) -> Recorded {
        let all = |len: usize| (0..len).collect::<Vec<_>>();
        self.recorded(&all(self.graph.inputs.len()), &all(self.graph.outputs.len()))
    }

    /// The same with inputs and outputs in another order than that of their names.
    fn recorded(&self, inputs: &[usize], outputs: &[usize]) -> Recorded {
        let graph = &self.graph;
        let order = Order::of(graph, inputs, outputs);
        let place = |value: &Value| (order.places[value.node as usize].unwrap_or(u32::MAX), value.output);
        let mut numbers = vec![u32::MAX; graph.bodies.len()];
        (0..).zip(&order.bodies).for_each(|(number, body)| numbers[*body as usize] = number);
        let line = |&index: &u32| {
            let node = &graph.nodes[index as usize];
            let own = match (&node.what, node.within) {
                (What::Input(at), None) => {
                    format!("the input {}", inputs.iter().position(|input| input == at).unwrap_or(usize::MAX))
                }
                (What::Input(at), Some(_)) => format!("the argument {at}"),
                (What::Variable(at), _) => match &graph.variables[*at].owner {
                    Some(owner) => format!("the weight {owner}"),
                    None => "a weight".to_owned(),
                },
                _ => node.told.as_deref().unwrap_or(&node.op).to_owned(),
            };
            let within =
                node.within.map_or_else(String::new, |body| format!("; in function {}", numbers[body as usize]));
            let mut takes: Vec<Place> = node.inputs.iter().map(place).collect();
            let calls = graph.bodies_of(index).iter().map(|body| {
                let outputs = &graph.bodies[*body as usize].outputs;
                takes.extend(outputs.iter().map(place));
                format!("; calls function {} of {} values", numbers[*body as usize], outputs.len())
            });
            let calls: String = calls.collect();
            let name = match &node.what {
                What::Variable(at) => graph.variables[*at].name.clone(),
                _ => {
                    self.tensors.of_node(index).first().map_or_else(|| node.name.clone(), |tensor| tensor.short.clone())
                }
            };
            let gives: Vec<_> = node.outputs.iter().map(|port| format!("{} {}", port.ty, port.shape)).collect();
            Line { name, what: format!("{own}{within}{calls}"), takes, gives: gives.join("; ") }
        };
        let lines = order.nodes.iter().map(line).collect();
        let first = order.nodes.iter().scan(0, |next, node| {
            let own = *next;
            *next += graph.nodes[*node as usize].outputs.len() as u32;
            Some(own)
        });
        let first = first.collect();
        Recorded {
            inputs: inputs.iter().map(|at| graph.inputs[*at].name.clone()).collect(),
            outputs: outputs.iter().map(|at| &graph.outputs[*at]).map(|o| (o.name.clone(), place(&o.value))).collect(),
            lines,
            first,
            order,
        }
    }
}
