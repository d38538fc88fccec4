//! Runs branches and loops.

use candle_core::Tensor;

use crate::data::Data;
use crate::graph::{Body, What};
use crate::{Error, Result};

/// More steps than any loop takes that ends.
const STEPS: usize = 1 << 24;

/// The values of a node that is neither given nor a weight.
pub(super) fn call(what: &What, inputs: &[Data]) -> Result<Vec<Data>> {
    match what {
        What::Constant(tensor) => Ok(vec![Data::Tensor(tensor.clone())]),
        What::Nothing => Ok(Vec::new()),
        What::Compute(compute) => compute.call(inputs),
        What::Branch { bodies, condition } => {
            let [which, rest @ ..] = inputs else { return Err(Error::Msg("it has no condition".to_owned())) };
            let which = match condition {
                true => usize::from(truth(which.tensor()?)?),
                false => usize::try_from(crate::ops::int(which.tensor()?)?).unwrap_or(usize::MAX),
            };
            // What is no branch is the last one.
            run(&bodies[which.min(bodies.len() - 1)], rest.to_vec())
        }
        What::Loop { condition, body } => {
            let mut state = inputs.to_vec();
            for _ in 0..STEPS {
                let goes_on = run(condition, state.clone())?;
                if !truth(goes_on[0].tensor()?)? {
                    return Ok(state);
                }
                state = run(body, state)?;
            }
            Err(Error::Msg(format!("the loop has not ended after {STEPS} steps")))
        }
        What::Unsupported(why) => Err(Error::Msg(why.clone())),
        What::Input(_) | What::Variable(_) => Err(Error::Msg("its value is given, and not computed".to_owned())),
    }
}

/// What TensorFlow takes a value for: of one number whether it is not zero, of several whether there are any.
fn truth(x: &Tensor) -> Result<bool> {
    match x.rank() {
        0 => Ok(x.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()? != 0.),
        _ => Ok(x.elem_count() > 0),
    }
}

/// What a function gives.
fn run(body: &Body, inputs: Vec<Data>) -> Result<Vec<Data>> {
    let mut uses = body.uses.clone();
    let mut values: Vec<Vec<Data>> = vec![Vec::new(); body.nodes.len()];
    for (index, node) in body.nodes.iter().enumerate() {
        if uses[index] == 0 {
            continue;
        }
        let at = |error: Error| Error::Msg(format!("in `{}` ({}): {error}", node.name, node.op));
        let taken = node.inputs.iter().map(|input| {
            let value = values[input.node as usize].get(input.output as usize);
            value.cloned().ok_or_else(|| at(Error::Msg("a value is missing that it takes".to_owned())))
        });
        let taken = taken.collect::<Result<Vec<_>>>()?;
        values[index] = match node.what {
            What::Input(place) => vec![inputs[place].clone()],
            _ => call(&node.what, &taken).map_err(at)?,
        };
        for input in &node.inputs {
            uses[input.node as usize] -= 1;
            if uses[input.node as usize] == 0 {
                values[input.node as usize] = Vec::new();
            }
        }
    }
    let outputs = body.outputs.iter().map(|output| {
        let value = values[output.node as usize].get(output.output as usize);
        value.cloned().ok_or_else(|| Error::Msg("an output was not computed".to_owned()))
    });
    outputs.collect()
}
