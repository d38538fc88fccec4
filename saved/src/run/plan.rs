//! What a run has to compute: what is asked for, and what that depends on.

use taper::__private::Pass;

use super::sites::Sites;
use crate::graph::Value;
use crate::model::SavedModel;
use crate::{Error, Result};

/// What is done with a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Need {
    #[default]
    None,
    /// Its values are known beforehand.
    Known,
    Compute,
}

/// What is done with every node, and how often its values are used.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) needs: Vec<Need>,
    pub(super) uses: Vec<u32>,
    /// Whether the run gives the model's outputs.
    pub(super) to_the_end: bool,
}

impl SavedModel {
    /// The plan of a run. It walks from what is asked for back to the inputs, and stops at what is known.
    pub(super) fn plan(&self, sites: &Sites, pass: &Pass<'_>) -> Result<Plan> {
        let nodes = &self.graph.nodes;
        let to_the_end = pass.goes_to_the_end() || pass.wants(&sites.output);
        let mut plan = Plan { needs: vec![Need::None; nodes.len()], uses: vec![0; nodes.len()], to_the_end };
        let mut left = Vec::new();
        for tensor in &self.tensors.all {
            if tensor.site.is_some_and(|site| pass.wants(&sites.all[site])) {
                left.push(tensor.value);
            }
        }
        if to_the_end {
            for output in &self.graph.outputs {
                if let Some(why) = self.tensors.get(output.value).and_then(|tensor| tensor.blocked.as_ref()) {
                    return Err(Error::Msg(format!("the output `{}` can't be computed: {why}", output.name)));
                }
                plan.uses[output.value.node as usize] += 1;
                left.push(output.value);
            }
        }
        while let Some(Value { node, .. }) = left.pop() {
            let need = &mut plan.needs[node as usize];
            if *need != Need::None {
                continue;
            }
            let tensors = self.tensors.of_node(node);
            let is_known = |site: usize| pass.is_known(&sites.all[site]);
            let known = !tensors.is_empty() && tensors.iter().all(|tensor| tensor.site.is_some_and(is_known));
            *need = if known { Need::Known } else { Need::Compute };
            if !known {
                for input in &nodes[node as usize].inputs {
                    plan.uses[input.node as usize] += 1;
                    left.push(*input);
                }
            }
        }
        Ok(plan)
    }
}
