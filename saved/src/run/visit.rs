//! What one visit of a branch or a loop has to compute, where that differs from visit to visit: a recording may have some of
//! its values, or one may be replaced in this visit alone.

use taper::__private::Pass;

use super::plan::{Need, Plan};
use super::sites::Sites;
use crate::graph::Value;
use crate::model::SavedModel;

impl SavedModel {
    /// What is done with every node of a function, those in branches and loops inside left out.
    pub(super) fn plan_visit(&self, plan: &Plan, body: u32, sites: &Sites, pass: &Pass<'_>) -> Vec<Need> {
        let graph = &self.graph;
        let (own, live) = (&graph.bodies[body as usize], &plan.live[body as usize]);
        let first = own.nodes.start;
        let mut needs = vec![Need::None; own.nodes.len()];
        let outputs = own.outputs.iter().zip(live).filter(|(_, live)| **live).map(|(output, _)| *output);
        let mut left: Vec<Value> = outputs.collect();
        for node in &self.regions.bodies[body as usize] {
            let wanted = self
                .tensors
                .of_node(*node)
                .iter()
                .filter(|tensor| tensor.site.is_some_and(|site| pass.wants(&sites.all[site])));
            left.extend(wanted.map(|tensor| tensor.value));
            if graph.bodies_of(*node).iter().any(|inside| plan.inspected[*inside as usize] > 0) {
                needs[(node - first) as usize] = Need::Compute;
                left.extend(self.inputs_taken(plan, *node).map(|(_, input)| input));
            }
        }
        while let Some(value) = left.pop() {
            let need = &mut needs[(value.node - first) as usize];
            let site = self.tensors.get(value).and_then(|tensor| tensor.site);
            if *need == Need::Compute {
                continue;
            }
            if site.is_some_and(|site| pass.is_known(&sites.all[site])) {
                *need = Need::Known;
                continue;
            }
            *need = Need::Compute;
            left.extend(self.inputs_taken(plan, value.node).map(|(_, input)| input));
        }
        needs
    }
}
