//! What is written down of a structure, so that a file that is opened later can be compared with it.

use crate::graph::{Engine, Node};
use crate::open::Structure;

impl<E: Engine> Structure<E> {
    /// The signature, these tensors by their places among all, and how the nodes are connected: a line each. Values, of
    /// weights and of constants, are not in it.
    pub fn record(&self, places: impl IntoIterator<Item = usize>) -> String {
        let mut lines = vec![format!("the signature {}", self.signature)];
        let tensor = |at: usize| self.tensors.all.get(at).map_or_else(|| "no tensor".to_owned(), |t| t.described());
        for input in &self.graph.inputs {
            lines.push(format!("the input {}: {} {}", input.name, input.port.ty, input.port.shape));
        }
        for output in &self.graph.outputs {
            let value = self.tensors.get(output.value).map(|tensor| tensor.described());
            lines.push(format!("the output {}: {}", output.name, value.unwrap_or_default()));
        }
        lines.extend(places.into_iter().map(tensor));
        let mut connections = Connections::default();
        connections.nodes(&self.graph.nodes);
        lines.push(format!("{} nodes, connected as {:016x}", self.graph.nodes.len(), connections.0));
        lines.join("\n")
    }
}

/// FNV-1a over what every node is and what it takes: the same in every build, which hashes of the standard library need
/// not be.
struct Connections(u64);

impl Default for Connections {
    fn default() -> Self {
        Connections(0xcbf2_9ce4_8422_2325)
    }
}

impl Connections {
    fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn nodes<E: Engine>(&mut self, nodes: &[Node<E>]) {
        for node in nodes {
            self.bytes(node.op.as_bytes());
            for input in &node.inputs {
                self.bytes(&input.node.to_le_bytes());
                self.bytes(&input.output.to_le_bytes());
            }
            self.bytes(&[0xff]);
        }
    }
}
