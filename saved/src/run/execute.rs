//! One run: the nodes that are needed, one after the other, every tensor handed to the pass.

use candle_core::Tensor;
use taper::__private::{At, Pass};

use super::control::call;
use super::plan::{Need, Plan};
use super::sites::Sites;
use crate::data::Data;
use crate::graph::{Node, Value, What};
use crate::inputs::Inputs;
use crate::model::SavedModel;
use crate::{Error, Result};

/// Operations whose values are off the autograd graph, or without a slope, on purpose.
const DETACHED: [&str; 3] = ["StopGradient", "ZerosLike", "OnesLike"];

impl SavedModel {
    pub(super) fn execute(&self, inputs: &Inputs, at: At<'_, '_, '_, Sites>) -> Result<Vec<Tensor>> {
        let At { sites, pass } = at;
        if let Some(outputs) = pass.supplied(&sites.output) {
            return pass.output(&sites.output, Ok(outputs));
        }
        inputs.check(self)?;
        let Plan { needs, mut uses, to_the_end } = self.plan(sites, pass)?;
        let mut values: Vec<Vec<Data>> = vec![Vec::new(); needs.len()];
        let (mut done, all) = (0, needs.iter().filter(|need| **need != Need::None).count());
        for (index, need) in (0..).zip(&needs) {
            if *need == Need::None {
                continue;
            }
            inputs.progress(done, all);
            done += 1;
            let Some(given) = self.node(index, *need, inputs, &values, sites, pass)? else { return pass.halt() };
            if uses[index as usize] > 0 {
                values[index as usize] = given;
            }
            if *need == Need::Compute {
                for input in &self.graph.nodes[index as usize].inputs {
                    let uses = &mut uses[input.node as usize];
                    *uses -= 1;
                    // Nothing is held that nobody waits for.
                    if *uses == 0 {
                        values[input.node as usize] = Vec::new();
                    }
                }
            }
        }
        inputs.progress(done, all);
        if !to_the_end {
            return Err(Error::Msg("the run has ended, and not all that was asked for was computed".to_owned()));
        }
        let outputs = self.graph.outputs.iter().map(|output| value(&values, output.value)?.tensor().cloned());
        pass.output(&sites.output, outputs.collect::<Result<Vec<_>>>())
    }

    /// The values of a node. `None` if the run is over.
    fn node(
        &self,
        index: u32,
        need: Need,
        inputs: &Inputs,
        values: &[Vec<Data>],
        sites: &Sites,
        pass: &mut Pass<'_>,
    ) -> Result<Option<Vec<Data>>> {
        let node = &self.graph.nodes[index as usize];
        let tensors = self.tensors.of_node(index);
        let site = |output: usize| tensors.get(output).and_then(|tensor| tensor.site).map(|site| &sites.all[site]);
        if need == Need::Known {
            let mut given = Vec::new();
            for output in 0..tensors.len() {
                let Some(site) = site(output) else { return Err(several(node)) };
                let Some(value) = pass.known(site).and_then(|value: Tensor| pass.tap(value, site)) else {
                    return Ok(None);
                };
                given.push(Data::Tensor(value));
            }
            return Ok(Some(given));
        }
        let taken = node.inputs.iter().map(|input| value(values, *input).cloned()).collect::<Result<Vec<_>>>()?;
        let computed = match &node.what {
            What::Input(place) => Ok(vec![Data::Tensor(inputs.values[*place].clone())]),
            What::Variable(place) => Ok(vec![Data::Tensor(self.graph.variables[*place].value.clone())]),
            what => call(what, &taken),
        };
        let computed = computed.and_then(|given| match given.len() < tensors.len() {
            true => Err(Error::Msg(format!("it has {} outputs, and {} were computed", tensors.len(), given.len()))),
            false => Ok(given),
        });
        let computed = match (computed, site(0)) {
            (Ok(computed), _) => computed,
            (Err(error), Some(site)) => {
                return Err(pass.blame(site, &node.op, dims(&taken), error));
            }
            (Err(error), None) => return Err(Error::Msg(format!("in `{}` ({}): {error}", node.name, node.op))),
        };
        // What comes of nothing that is on the autograd graph is off it, and has lost nothing.
        let detached = !taken.iter().any(Data::is_tracked) || DETACHED.contains(&&*node.op);
        let mut given = Vec::with_capacity(tensors.len());
        for (output, value) in computed.into_iter().enumerate().take(tensors.len()) {
            let tapped = match (value, site(output)) {
                (Data::Tensor(value), Some(site)) if detached => pass.tap_detached(value, site).map(Data::Tensor),
                (Data::Tensor(value), Some(site)) => pass.tap(value, site).map(Data::Tensor),
                (value, _) => Some(value),
            };
            match tapped {
                Some(value) => given.push(value),
                None => return Ok(None),
            }
        }
        Ok(Some(given))
    }
}

/// The shape of what a node got first.
fn dims(taken: &[Data]) -> Option<&[usize]> {
    match taken.first()? {
        Data::Tensor(tensor) => Some(tensor.dims()),
        Data::List(_) => None,
    }
}

fn value(values: &[Vec<Data>], at: Value) -> Result<&Data> {
    let value = values.get(at.node as usize).and_then(|values| values.get(at.output as usize));
    value.ok_or_else(|| Error::Msg("a value was not computed that another is made of".to_owned()))
}

fn several(node: &Node) -> Error {
    Error::Msg(format!("`{}` has values that are no tensors beside those that are known", node.name))
}
