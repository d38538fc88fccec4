//! What a run has to compute: what is asked for, and what that depends on.
//!
//! Of what a branch or a loop gives, only that is computed which somebody takes, and so what goes into it.

use taper::__private::Pass;

use super::sites::Sites;
use crate::graph::{Body, Part, Value, What};
use crate::inputs::Inputs;
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
    /// Of every tensor, whether somebody takes it.
    pub(super) taken: Vec<bool>,
    /// Of every function of a branch or a loop, which of its outputs are taken.
    pub(super) live: Vec<Vec<bool>>,
    /// Of every function, how many of its tensors are asked for, those in functions inside included.
    pub(super) inspected: Vec<usize>,
    /// Whether something in a branch or a loop is changed.
    pub(super) changed: bool,
}

/// A plan, while it is made: it walks from what is asked for back to the inputs, and stops at what is known.
struct Walk<'w, 'p> {
    model: &'w SavedModel,
    sites: &'w Sites,
    pass: &'w Pass<'p>,
    plan: Plan,
    entered: Vec<bool>,
    left: Vec<Value>,
}

impl SavedModel {
    /// The plan of a run.
    pub(super) fn plan(&self, sites: &Sites, pass: &mut Pass<'_>) -> Result<Plan> {
        let to_the_end = pass.goes_to_the_end() || pass.wants(&sites.output);
        let (nodes, bodies) = (self.graph.nodes.len(), &self.graph.bodies);
        let plan = Plan {
            needs: vec![Need::None; nodes],
            uses: vec![0; nodes],
            to_the_end,
            taken: vec![false; self.tensors.all.len()],
            live: bodies.iter().map(|body| vec![false; body.outputs.len()]).collect(),
            inspected: vec![0; bodies.len()],
            changed: to_the_end,
        };
        let mut walk = Walk { model: self, sites, pass, plan, entered: vec![false; bodies.len()], left: Vec::new() };
        if to_the_end {
            for output in &self.graph.outputs {
                if let Some(why) = self.tensors.get(output.value).and_then(|tensor| tensor.blocked.as_ref()) {
                    return Err(Error::Msg(format!("the output `{}` can't be computed: {why}", output.name)));
                }
                walk.plan.uses[output.value.node as usize] += 1;
                walk.take(output.value);
            }
        }
        walk.take_wanted();
        let mut plan = walk.plan;
        self.count(&mut plan);
        if !to_the_end {
            // What comes after the last that is asked for is not in the plan.
            for tensor in self.tensors.all.iter().filter(|tensor| !tensor.within.is_empty()) {
                if let Some(site) = tensor.site.filter(|_| plan.needs[tensor.value.node as usize] != Need::None) {
                    plan.changed |= pass.expects(&sites.all[site]);
                }
            }
        }
        Ok(plan)
    }

    /// Which values of a node's inputs a run takes.
    pub(super) fn inputs_taken<'p>(&'p self, plan: &'p Plan, node: u32) -> impl Iterator<Item = (usize, Value)> + 'p {
        let what = &self.graph.nodes[node as usize].what;
        let taken = move |at: usize| match what {
            What::Branch { .. } if at == 0 => true,
            What::Branch { bodies, .. } => bodies.iter().any(|body| {
                let argument = self.graph.bodies[*body as usize].arguments[at - 1];
                plan.needs[argument as usize] == Need::Compute
            }),
            What::Loop { bodies: [_, step] } => plan.live[*step as usize][at],
            _ => true,
        };
        self.graph.nodes[node as usize].inputs.iter().copied().enumerate().filter(move |(at, _)| taken(*at))
    }

    /// The last step of a loop that is asked for, if nothing depends on how it ends.
    pub(super) fn last_step(&self, plan: &Plan, inputs: &Inputs, control: u32) -> Option<u32> {
        let taken = self.tensors.of_node(control).iter().any(|tensor| plan.taken[self.tensors.place(tensor.value)]);
        if plan.changed || taken {
            return None;
        }
        let inspected = self.graph.bodies_of(control).iter().filter(|body| plan.inspected[**body as usize] > 0);
        inspected.map(|body| inputs.last.get(body).copied()).reduce(|a, b| Some(a?.max(b?))).flatten()
    }

    /// How often every value is used.
    fn count(&self, plan: &mut Plan) {
        for node in 0..plan.needs.len() as u32 {
            if plan.needs[node as usize] == Need::Compute {
                let inputs: Vec<Value> = self.inputs_taken(plan, node).map(|(_, input)| input).collect();
                inputs.iter().for_each(|input| plan.uses[input.node as usize] += 1);
            }
        }
        for (body, live) in self.graph.bodies.iter().zip(&plan.live) {
            for (output, _) in body.outputs.iter().zip(live).filter(|(_, live)| **live) {
                plan.uses[output.node as usize] += 1;
            }
        }
    }
}

impl Walk<'_, '_> {
    fn body(&self, body: u32) -> &Body {
        &self.model.graph.bodies[body as usize]
    }

    /// Everything that is asked for, and then what it depends on.
    fn take_wanted(&mut self) {
        let mut reusable = Vec::new();
        for tensor in &self.model.tensors.all {
            if !tensor.site.is_some_and(|site| self.pass.wants(&self.sites.all[site])) {
                continue;
            }
            tensor.within.iter().for_each(|within| self.plan.inspected[within.body as usize] += 1);
            // A recording may have all that is inside.
            let outermost = tensor.within.first().map(|within| self.body(within.body).control);
            match outermost.filter(|control| self.is_recorded(*control)) {
                Some(control) => reusable.push((control, tensor.value)),
                None => self.take(tensor.value),
            }
        }
        let controls = (0..).zip(&self.model.graph.bodies).filter(|(body, _)| self.sites.end(*body).is_some());
        for (body, Body { control, .. }) in controls {
            let wanted = self.sites.end(body).is_some_and(|end| self.pass.wants(end));
            if wanted && !self.is_recorded(*control) {
                self.enter(*control);
            }
        }
        self.walk();
        // Where something else in it is not recorded, it runs.
        loop {
            let needs = &self.plan.needs;
            let (runs, rest): (Vec<_>, _) =
                reusable.into_iter().partition(|(control, _)| needs[*control as usize] == Need::Compute);
            reusable = rest;
            if runs.is_empty() {
                break;
            }
            runs.into_iter().for_each(|(_, value)| self.take(value));
            self.walk();
        }
        for (control, _) in reusable {
            self.plan.needs[control as usize] = Need::Known;
        }
    }

    /// Whether a recording has a branch or a loop from its beginning to its end.
    fn is_recorded(&self, control: u32) -> bool {
        let first = self.model.graph.bodies_of(control).first();
        first.and_then(|body| self.sites.end(*body)).is_some_and(|end| self.pass.is_known(end))
    }

    fn take(&mut self, value: Value) {
        if !std::mem::replace(&mut self.plan.taken[self.model.tensors.place(value)], true) {
            self.left.push(value);
        }
    }

    fn walk(&mut self) {
        while let Some(value) = self.left.pop() {
            self.visit(value);
        }
    }

    fn visit(&mut self, value: Value) {
        let model = self.model;
        let node = &model.graph.nodes[value.node as usize];
        let body = node.within.map(|body| &model.graph.bodies[body as usize]);
        if let Some(body) = body {
            self.enter(body.control);
        }
        let site = model.tensors.get(value).and_then(|tensor| tensor.site);
        let need = &mut self.plan.needs[value.node as usize];
        if site.is_some_and(|site| self.pass.is_known(&self.sites.all[site])) {
            if *need == Need::None {
                *need = Need::Known;
            }
            return;
        }
        let first = std::mem::replace(need, Need::Compute) != Need::Compute;
        match (&node.what, body) {
            (What::Input(at), Some(body)) => match body.part {
                Part::Branch(_) => self.take(model.graph.nodes[body.control as usize].inputs[at + 1]),
                Part::Condition | Part::Step => self.carry(body.control, *at),
            },
            (What::Branch { bodies, .. }, _) => {
                self.enter(value.node);
                for body in bodies {
                    self.plan.live[*body as usize][value.output as usize] = true;
                    self.take(model.graph.bodies[*body as usize].outputs[value.output as usize]);
                }
            }
            (What::Loop { .. }, _) => {
                self.enter(value.node);
                self.carry(value.node, value.output as usize);
            }
            _ if first => node.inputs.iter().for_each(|input| self.take(*input)),
            _ => {}
        }
    }

    /// What a loop carries from step to step, at one place.
    fn carry(&mut self, control: u32, at: usize) {
        let graph = &self.model.graph;
        let Some(step) = graph.bodies_of(control).last() else { return };
        self.plan.live[*step as usize][at] = true;
        self.take(graph.nodes[control as usize].inputs[at]);
        self.take(graph.bodies[*step as usize].outputs[at]);
    }

    /// A branch or a loop runs, whatever of it is taken: it has to be known which branch, or how often.
    fn enter(&mut self, control: u32) {
        let graph = &self.model.graph;
        let bodies = graph.bodies_of(control);
        let Some(first) = bodies.first() else { return };
        if std::mem::replace(&mut self.entered[*first as usize], true) {
            return;
        }
        self.plan.needs[control as usize] = Need::Compute;
        if graph.bodies[*first as usize].part == Part::Condition {
            self.plan.live[*first as usize][0] = true;
            self.take(graph.bodies[*first as usize].outputs[0]);
        } else {
            self.take(graph.nodes[control as usize].inputs[0]);
        }
        if let Some(outer) = graph.body(control) {
            self.enter(outer.control);
        }
    }
}
