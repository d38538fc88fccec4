//! One run: the nodes that are needed, one after the other, every tensor handed to the pass.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use candle_core::Tensor;
use taper::__private::{At, Pass};

use super::memory::{Memory, Places};
use super::plan::{Need, Plan};
use super::sites::Sites;
use crate::data::Data;
use crate::graph::{Node, Value, What};
use crate::inputs::Inputs;
use crate::model::SavedModel;
use crate::{Error, Result};

/// Operations whose values are off the autograd graph, or without a slope, on purpose.
const DETACHED: [&str; 3] = ["StopGradient", "ZerosLike", "OnesLike"];

/// Values by place; those that nobody takes are not there.
pub(super) type Given = Vec<Option<Data>>;

/// A run, while it goes on.
pub(super) struct Execution<'x> {
    pub(super) model: &'x SavedModel,
    pub(super) inputs: &'x Inputs,
    pub(super) sites: &'x Sites,
    pub(super) plan: &'x Plan,
    /// How many values of loops were handed over that somebody asked for.
    pub(super) kept: Cell<usize>,
    /// How many steps the loops have made.
    pub(super) steps: Cell<usize>,
    pub(super) memory: Memory<'x>,
}

/// The values of the nodes of the graph, or of one call of a function.
pub(super) struct Values {
    first: u32,
    all: Places,
    /// How often those of each node are yet to be used: nothing is held that nobody waits for.
    uses: Vec<u32>,
}

impl Values {
    fn new(nodes: &Range<u32>, uses: &[u32]) -> Self {
        let uses = uses[nodes.start as usize..nodes.end as usize].to_vec();
        Values { first: nodes.start, all: Rc::new(RefCell::new(vec![Vec::new(); uses.len()])), uses }
    }

    fn put(&mut self, node: u32, values: Given) {
        let place = (node - self.first) as usize;
        if self.uses[place] > 0 {
            self.all.borrow_mut()[place] = values;
        }
    }

    /// A value, which is used once more.
    pub(super) fn take(&mut self, value: Value) -> Result<Data> {
        let place = (value.node - self.first) as usize;
        let mut all = self.all.borrow_mut();
        let found = all[place].get(value.output as usize).and_then(Clone::clone);
        self.uses[place] = self.uses[place].saturating_sub(1);
        if self.uses[place] == 0 {
            all[place] = Vec::new();
        }
        found.ok_or_else(|| Error::Msg("a value was not computed that another is made of".to_owned()))
    }
}

impl SavedModel {
    pub(super) fn execute(&self, inputs: &Inputs, at: At<'_, '_, '_, Sites>) -> Result<Vec<Tensor>> {
        let At { sites, pass } = at;
        if let Some(outputs) = pass.supplied(&sites.output) {
            return pass.output(&sites.output, Ok(outputs));
        }
        inputs.check(self).map_err(|error| pass.unplaced(error))?;
        let plan = self.plan(sites, pass).map_err(|error| pass.unplaced(error))?;
        let (kept, steps) = Default::default();
        let memory = Memory::new(self, inputs);
        let execution = Execution { model: self, inputs, sites, plan: &plan, kept, steps, memory };
        let Some(mut values) = execution.region(None, &Vec::new(), pass)? else { return pass.halt() };
        if !plan.to_the_end {
            return Err(Error::Msg("the run has ended, and not all that was asked for was computed".to_owned()));
        }
        let outputs = self.graph.outputs.iter().map(|output| values.take(output.value)?.tensor().cloned());
        pass.output(&sites.output, outputs.collect::<Result<Vec<_>>>())
    }
}

impl Execution<'_> {
    /// The values of the nodes of the graph, or of a function that is given these. `None` if the run is over.
    pub(super) fn region(&self, body: Option<u32>, given: &Given, pass: &mut Pass<'_>) -> Result<Option<Values>> {
        let model = self.model;
        let (nodes, range) = match body {
            None => (&model.regions.root, 0..self.plan.needs.len() as u32),
            Some(body) => (&model.regions.bodies[body as usize], model.graph.bodies[body as usize].nodes.clone()),
        };
        let visit = body.filter(|_| pass.differs_by_visit());
        let visit = visit.map(|body| model.plan_visit(self.plan, body, self.sites, pass));
        let needs = match &visit {
            Some(needs) => needs,
            None => &self.plan.needs[range.start as usize..range.end as usize],
        };
        let mut values = Values::new(&range, &self.plan.uses);
        self.memory.called(&values.all);
        let need = |index: u32| needs[(index - range.start) as usize];
        let needed = || nodes.iter().copied().filter(|index| need(*index) != Need::None);
        let all = if body.is_none() { needed().count() } else { 0 };
        for (done, index) in needed().enumerate() {
            if body.is_none() {
                self.inputs.progress(done, all);
            }
            if self.inputs.allowed().is_stopped() {
                let name = &model.graph.nodes[index as usize].name;
                return Err(Error::Msg(format!("the run was stopped before `{name}`")));
            }
            let computed = match (need(index), &model.graph.nodes[index as usize].what) {
                (Need::None | Need::Known, _) => self.known(index, pass)?,
                (Need::Compute, What::Input(at)) if body.is_some() => {
                    let value = given.get(*at).and_then(Clone::clone);
                    let value = value.ok_or_else(|| Error::Msg("an argument is missing".to_owned()))?;
                    self.hand_over(index, vec![Some(value)], true, pass)
                }
                (Need::Compute, _) => self.compute(index, &mut values, pass)?,
            };
            match computed {
                Some(computed) => values.put(index, computed),
                None => return Ok(None),
            }
        }
        if body.is_none() {
            self.inputs.progress(all, all);
        }
        Ok(Some(values))
    }

    /// Values that are known beforehand.
    fn known(&self, index: u32, pass: &mut Pass<'_>) -> Result<Option<Given>> {
        let model = self.model;
        let end = model.graph.bodies_of(index).first().and_then(|body| self.sites.end(*body));
        if let Some(end) = end.filter(|end| pass.is_known(end)) {
            // What was asked for inside is in the recording, too.
            let pass = pass.at(end).pass;
            let Some(ended) = pass.supplied(end) else { return Ok(None) };
            if pass.tap(ended, end).is_none() || !pass.on() {
                return Ok(None);
            }
        }
        let mut given = Vec::new();
        for tensor in model.tensors.of_node(index) {
            let taken = self.plan.taken[model.tensors.place(tensor.value)];
            let Some(site) = tensor.site.filter(|_| taken).map(|site| &self.sites.all[site]) else {
                given.push(None);
                continue;
            };
            match pass.known(site).and_then(|value: Tensor| pass.tap(value, site)) {
                Some(value) => {
                    self.memory.was_before(&value);
                    given.push(Some(Data::Tensor(value)));
                }
                None => return Ok(None),
            }
        }
        Ok(Some(given))
    }

    fn compute(&self, index: u32, values: &mut Values, pass: &mut Pass<'_>) -> Result<Option<Given>> {
        let model = self.model;
        let node = &model.graph.nodes[index as usize];
        let mut taken: Given = vec![None; node.inputs.len()];
        for (at, input) in model.inputs_taken(self.plan, index) {
            taken[at] = Some(values.take(input)?);
        }
        if !model.graph.bodies_of(index).is_empty() {
            let pass = pass.at(self.sites).pass;
            let given = match self.control(index, taken, pass) {
                Ok(Some(given)) => given,
                Ok(None) => return Ok(None),
                Err(error) => return Err(self.blame(index, None, error, pass)),
            };
            return match pass.on() {
                // What was lost in it, was lost at one of its own nodes.
                true => Ok(self.hand_over(index, given, false, pass)),
                false => Ok(None),
            };
        }
        let taken: Vec<Data> = taken.into_iter().flatten().collect();
        let computed = match &node.what {
            What::Input(place) => Ok(vec![Data::Tensor(self.inputs.values[*place].clone())]),
            What::Variable(place) => Ok(vec![Data::Tensor(model.graph.variables[*place].value.clone())]),
            What::Constant(tensor) => Ok(vec![Data::Tensor(tensor.clone())]),
            What::Compute(compute) => compute.call(&taken, self.memory.most(), |at| {
                node.inputs.get(at).is_some_and(|input| model.tensors.get(*input).is_some_and(|tensor| tensor.fixed))
            }),
            What::Unsupported(why) | What::Unreadable(why) => Err(Error::Msg(why.clone())),
            What::Nothing | What::Branch { .. } | What::Loop { .. } => Ok(Vec::new()),
        };
        let computed = computed.and_then(|given| match given.len() < node.outputs.len() {
            true => {
                Err(Error::Msg(format!("it has {} outputs, and {} were computed", node.outputs.len(), given.len())))
            }
            false => Ok(given),
        });
        let computed = computed.and_then(|computed| {
            let computed = computed.into_iter().take(node.outputs.len()).map(Some).collect();
            self.memory.made(&computed)?;
            Ok(computed)
        });
        let computed = match computed {
            Ok(computed) => computed,
            Err(error) => {
                let error = match self.model.places_of(index) {
                    Some(inputs) => Error::Msg(format!("{error}; {inputs}")),
                    None => error,
                };
                return Err(self.blame(index, dims(&taken), error, pass));
            }
        };
        // What comes of nothing that is on the autograd graph is off it, and has lost nothing.
        let detached = !taken.iter().any(Data::is_tracked) || DETACHED.contains(&&*node.op);
        Ok(self.hand_over(index, computed, detached, pass))
    }

    /// Hands the values of a node to the pass; what comes back flows on. `None` if the run is over.
    fn hand_over(&self, index: u32, values: Given, detached: bool, pass: &mut Pass<'_>) -> Option<Given> {
        let controls = !self.model.graph.bodies_of(index).is_empty();
        let tensors = self.model.tensors.of_node(index);
        let mut given = Vec::with_capacity(values.len());
        for (value, tensor) in values.into_iter().zip(tensors) {
            // Of a branch or a loop there is only what somebody takes.
            let taken = !controls || self.plan.taken[self.model.tensors.place(tensor.value)];
            given.push(match (value.filter(|_| taken), tensor.site.map(|site| &self.sites.all[site])) {
                (Some(Data::Tensor(value)), Some(site)) => {
                    let detached = detached || controls && !value.track_op();
                    let value = match detached {
                        true => pass.tap_detached(value, site)?,
                        false => pass.tap(value, site)?,
                    };
                    // What is on the autograd graph is held by what is made of it.
                    if pass.keeps(site) || value.track_op() {
                        self.memory.keep(&value);
                    }
                    Some(Data::Tensor(value))
                }
                (value, _) => value,
            });
        }
        Some(given)
    }

    /// The error of a node with its name, unless that of one inside it stands there already.
    fn blame(&self, index: u32, dims: Option<&[usize]>, error: Error, pass: &mut Pass<'_>) -> Error {
        let node: &Node = &self.model.graph.nodes[index as usize];
        let inside = self.model.graph.bodies_of(index).iter().map(|body| &self.model.graph.bodies[*body as usize].name);
        let message = error.to_string();
        if inside.into_iter().any(|name| message.contains(&format!("in `{name}/"))) {
            return error;
        }
        match self.model.tensors.of_node(index).iter().find_map(|tensor| tensor.site) {
            Some(site) => pass.blame(&self.sites.all[site], &node.op, dims, error),
            None => Error::Msg(format!("in `{}` ({}): {error}", node.name, node.op)),
        }
    }
}

/// The shape of what a node got first.
fn dims(taken: &[Data]) -> Option<&[usize]> {
    match taken.first()? {
        Data::Tensor(tensor) => Some(tensor.dims()),
        Data::List(_) => None,
    }
}
