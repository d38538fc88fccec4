//! Random weights, made as they are asked for, and kept, so that another model can have the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use candle_core::{DType, Device, Result, Shape, Tensor, bail};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use taper::Weights;

#[derive(Clone, Default)]
pub(crate) struct Random(Arc<Mutex<HashMap<String, Tensor>>>);

impl Random {
    /// Gives whatever is asked for.
    pub(crate) fn builder(&self) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(self.clone()), DType::F32, Device::Cpu)
    }

    /// What was asked for.
    pub(crate) fn weights(&self) -> Weights {
        Weights::from_tensors(self.0.lock().unwrap().clone(), DType::F32, &Device::Cpu)
    }
}

impl SimpleBackend for Random {
    fn get(&self, shape: Shape, name: &str, _: Init, _: DType, _: &Device) -> Result<Tensor> {
        let numbers = match (shape.rank(), name) {
            // Such that what flows keeps its size.
            (1, name) if name.ends_with("running_var") => (numbers(name, shape, 0.1)?.abs()? + 1.)?,
            (1, name) if name.ends_with("weight") => (numbers(name, shape, 0.1)? + 1.)?,
            (1, _) => numbers(name, shape, 0.1)?,
            _ => {
                let reads: usize = shape.dims()[1..].iter().product();
                numbers(name, shape, (3. / reads as f64).sqrt())?
            }
        };
        self.0.lock().unwrap().insert(name.to_owned(), numbers.clone());
        Ok(numbers)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        bail!("`{name}` is asked for without a shape")
    }

    /// There is no end to them, but what is optional is left out.
    fn contains_tensor(&self, _: &str) -> bool {
        false
    }
}

/// Numbers between ±`scale`, others for another name.
pub(crate) fn numbers(name: &str, shape: impl Into<Shape>, scale: f64) -> Result<Tensor> {
    let shape = shape.into();
    let mut state = name.bytes().fold(0x9e37_79b9_7f4a_7c15_u64, |state, byte| next(state ^ u64::from(byte)));
    let numbers = (0..shape.elem_count()).map(|_| {
        state = next(state);
        ((state >> 40) as f64 / f64::from(1 << 23) - 1.) * scale
    });
    Tensor::from_vec(numbers.map(|number| number as f32).collect::<Vec<_>>(), shape, &Device::Cpu)
}

/// Xorshift.
fn next(mut state: u64) -> u64 {
    state = if state == 0 { 1 } else { state };
    state ^= state << 13;
    state ^= state >> 7;
    state ^ state << 17
}
