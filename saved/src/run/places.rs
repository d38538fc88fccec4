//! Which inputs the places come of at which elements are looked up: ids that are in no vocabulary are the input's fault.

use std::collections::BTreeSet;

use crate::graph::{Value, What};
use crate::model::SavedModel;

/// What looks elements up at the places that it takes second.
const LOOK_UPS: [&str; 4] = ["Gather", "GatherV2", "ResourceGather", "GatherNd"];

/// What does not depend on values.
const SIZES: [&str; 4] = ["Rank", "Shape", "ShapeN", "Size"];

impl SavedModel {
    /// The inputs that the places of a look-up come of, in words. `None` of any other node, and if there are none.
    pub(super) fn places_of(&self, node: u32) -> Option<String> {
        let looked_up = &self.graph.nodes[node as usize];
        let places = looked_up.inputs.get(1).filter(|_| LOOK_UPS.contains(&&*looked_up.op))?;
        let (mut inputs, mut seen): (BTreeSet<&str>, BTreeSet<u32>) = Default::default();
        let mut left: Vec<Value> = vec![*places];
        while let Some(value) = left.pop() {
            let value = self.graph.source(value);
            let node = &self.graph.nodes[value.node as usize];
            if !seen.insert(value.node) || SIZES.contains(&&*node.op) {
                continue;
            }
            match (&node.what, self.graph.body(value.node)) {
                (What::Input(at), None) => {
                    let input = self.graph.inputs.get(*at).filter(|input| input.port.ty.is_integer());
                    inputs.extend(input.map(|input| input.name.as_str()));
                }
                _ => left.extend(&node.inputs),
            }
        }
        let names: Vec<_> = inputs.iter().map(|input| format!("`{input}`")).collect();
        match names.as_slice() {
            [] => None,
            [one] => Some(format!("the places come of the input {one}")),
            several => Some(format!("the places come of the inputs {}", several.join(", "))),
        }
    }
}
