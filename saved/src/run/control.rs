//! Runs branches and loops: every call of one of their functions is a frame of the pass.

use std::cell::RefCell;
use std::rc::Rc;

use candle_core::Tensor;
use taper::__private::Pass;

use super::execute::{Execution, Given};
use crate::graph::What;
use crate::limits::KEPT;
use crate::{Error, Result};

impl Execution<'_> {
    /// What a branch or a loop gives, of that which somebody takes. `None` if the run is over.
    pub(super) fn control(&self, index: u32, inputs: Given, pass: &mut Pass<'_>) -> Result<Option<Given>> {
        let outputs = match &self.model.graph.nodes[index as usize].what {
            What::Branch { bodies, condition } => {
                let which = inputs.first().and_then(Option::as_ref);
                let which = which.ok_or_else(|| Error::Msg("it has no condition".to_owned()))?;
                let which = match condition {
                    true => usize::from(truth(which.tensor()?)?),
                    false => usize::try_from(crate::ops::int(which.tensor()?)?).unwrap_or(usize::MAX),
                };
                // What is no branch is the last one.
                self.call(bodies[which.min(bodies.len() - 1)], inputs[1..].to_vec(), pass)?
            }
            What::Loop { bodies: [condition, step] } => {
                let last = self.model.last_step(self.plan, self.inputs, index);
                self.steps([*condition, *step], last, inputs, pass)?
            }
            _ => None,
        };
        let Some(outputs) = outputs else { return Ok(None) };
        let end = self.model.graph.bodies_of(index).first().and_then(|body| self.sites.end(*body));
        let ended = end.is_none_or(|end| pass.tap(Vec::<Tensor>::new(), end).is_some());
        Ok(ended.then_some(outputs))
    }

    /// The steps of a loop, until it ends or the last one that is asked for is over.
    fn steps(
        &self,
        [condition, step]: [u32; 2],
        last: Option<u32>,
        mut state: Given,
        pass: &mut Pass<'_>,
    ) -> Result<Option<Given>> {
        let mut own = 0usize;
        loop {
            if last.is_some_and(|last| own > last as usize) {
                return Ok(Some(Vec::new()));
            }
            let Some(goes_on) = self.call(condition, state.clone(), pass)? else { return Ok(None) };
            let goes_on = goes_on.first().and_then(Option::as_ref);
            if !truth(goes_on.ok_or_else(|| Error::Msg("its condition gives nothing".to_owned()))?.tensor()?)? {
                return Ok(Some(state));
            }
            let (made, most) = (self.steps.get() + 1, self.inputs.allowed().steps);
            self.steps.set(made);
            own += 1;
            if made > most {
                return Err(Error::Msg(format!(
                    "the loops of the run have made {most} steps, and have not ended; `step_limit` allows more"
                )));
            }
            match self.call(step, state, pass)? {
                Some(next) => state = next,
                None => return Ok(None),
            }
        }
    }

    /// One call of a function.
    fn call(&self, body: u32, given: Given, pass: &mut Pass<'_>) -> Result<Option<Given>> {
        let Some(frame) = self.sites.frame(body) else {
            return Err(Error::Msg(format!("`{}` can't be computed", self.model.graph.bodies[body as usize].name)));
        };
        let asked = self.plan.inspected[body as usize];
        if asked > 0 {
            // What is not asked for has its place in the frame all the same.
            let places = self.model.graph.bodies[body as usize].nodes.len() / 8;
            self.kept.set(self.kept.get() + asked + places);
            if self.kept.get() > KEPT {
                return Err(Error::Msg(
                    "its steps have more values than a run keeps; ask for fewer tensors, or for steps by number"
                        .to_owned(),
                ));
            }
        }
        let given = Rc::new(RefCell::new(vec![given]));
        let depth = self.memory.depth();
        self.memory.called(&given);
        pass.enter(frame);
        let outputs = self.body(body, &given.borrow()[0], pass);
        let goes_on = pass.leave();
        self.memory.returned(depth);
        Ok(outputs?.filter(|_| goes_on))
    }

    fn body(&self, body: u32, given: &Given, pass: &mut Pass<'_>) -> Result<Option<Given>> {
        let Some(mut values) = self.region(Some(body), given, pass)? else { return Ok(None) };
        let outputs = self.model.graph.bodies[body as usize].outputs.iter().zip(&self.plan.live[body as usize]);
        let outputs = outputs.map(|(output, live)| match live {
            true => values.take(*output).map(Some),
            false => Ok(None),
        });
        outputs.collect::<Result<Given>>().map(Some)
    }
}

/// What TensorFlow takes a value for: of one number whether it is not zero, of several whether there are any.
fn truth(x: &Tensor) -> Result<bool> {
    match x.rank() {
        0 => Ok(x.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()? != 0.),
        _ => Ok(x.elem_count() > 0),
    }
}
