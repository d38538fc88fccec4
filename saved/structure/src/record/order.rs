//! An order of the nodes that the file's own order, and its names, have no part in: what an output is made of comes before
//! it, one input after the other.
//!
//! Two graphs whose nodes are alike in this order, one by one and in what they take, are one graph: from the outputs on,
//! every step leads to the same place in both. What no output is made of stands at the end, as the file has it.

use crate::graph::{Engine, Graph, What};

/// The nodes of a graph in that order.
#[derive(Debug)]
pub(super) struct Order {
    /// Their places in the graph.
    pub(super) nodes: Vec<u32>,
    /// Of every node of the graph, its place here. Weights that nothing reads have none.
    pub(super) places: Vec<Option<u32>>,
    /// The functions of branches and loops, as they are met.
    pub(super) bodies: Vec<u32>,
}

impl Order {
    /// The inputs and the outputs come in an order of their own.
    pub(super) fn of<E: Engine>(graph: &Graph<E>, inputs: &[usize], outputs: &[usize]) -> Self {
        let mut order = Order { nodes: Vec::new(), places: vec![None; graph.nodes.len()], bodies: Vec::new() };
        let mut seen = vec![false; graph.nodes.len()];
        let inputs = inputs.iter().map(|at| graph.inputs[*at].node);
        let outputs = outputs.iter().map(|at| graph.outputs[*at].value.node);
        let others = (0..).zip(&graph.nodes).filter(|(_, node)| {
            let unread = matches!(node.what, What::Variable(_)) && &*node.op == "VarHandleOp";
            node.within.is_none() && !unread
        });
        let roots: Vec<u32> = inputs.chain(outputs).chain(others.map(|(index, _)| index)).collect();
        for root in roots {
            order.visit(graph, root, &mut seen);
        }
        order
    }

    /// A node behind all that it is made of. Graphs are deeper than a stack.
    fn visit<E: Engine>(&mut self, graph: &Graph<E>, root: u32, seen: &mut [bool]) {
        let mut open = Vec::new();
        let mut next = Some(root);
        loop {
            match next {
                Some(node) if !std::mem::replace(&mut seen[node as usize], true) => {
                    open.push((node, self.needs(graph, node).into_iter()));
                }
                _ => {}
            }
            let Some((node, needs)) = open.last_mut() else { break };
            next = needs.next();
            if next.is_none() {
                self.places[*node as usize] = Some(self.nodes.len() as u32);
                self.nodes.push(*node);
                open.pop();
            }
        }
    }

    /// What a node takes, and what the functions give that it calls, and whatever else is in them.
    fn needs<E: Engine>(&mut self, graph: &Graph<E>, node: u32) -> Vec<u32> {
        let mut needs: Vec<u32> = graph.nodes[node as usize].inputs.iter().map(|input| input.node).collect();
        for &at in graph.bodies_of(node) {
            self.bodies.push(at);
            let body = &graph.bodies[at as usize];
            needs.extend(body.outputs.iter().map(|output| output.node));
            needs.extend(body.nodes.clone().filter(|node| graph.nodes[*node as usize].within == Some(at)));
        }
        needs
    }
}
