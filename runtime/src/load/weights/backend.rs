//! The backend behind a strict `VarBuilder`: it notes every request, and goes on where candle's own would stop.

use std::collections::HashSet;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::Init;
use candle_nn::var_builder::SimpleBackend;

use super::Tensors;
use crate::{Error, Result};

pub(super) struct Strict {
    pub(super) tensors: Arc<Tensors>,
    pub(super) log: Arc<Mutex<Log>>,
}

/// What was asked for, and what was wrong with it.
#[derive(Default)]
pub(super) struct Log {
    pub(super) asked: HashSet<String>,
    pub(super) faults: Vec<Fault>,
    /// A builder that outlives the loading gets no zeros: nobody would look at the faults.
    finished: bool,
}

/// A request that the source cannot fulfil; the same request made twice is one fault.
#[derive(Clone, PartialEq)]
pub(super) enum Fault {
    Missing { name: String, asked: Option<Shape> },
    OtherShape { name: String, asked: Shape, found: Shape },
}

impl Log {
    /// What was noted, and the end of it.
    pub(super) fn finish(&mut self) -> Log {
        mem::replace(self, Log { finished: true, ..Log::default() })
    }

    fn ask(&mut self, name: &str) {
        self.asked.insert(name.to_owned());
    }

    /// Notes a fault. Is anybody going to look at it?
    fn note(&mut self, fault: Fault) -> bool {
        if !self.finished && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
        !self.finished
    }
}

/// A loader that panicked in another thread has still asked for what it asked for.
pub(super) fn locked(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SimpleBackend for Strict {
    fn get(&self, asked: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        let entry = self.tensors.index.get(name);
        locked(&self.log).ask(name);
        let (fault, error) = match entry {
            Some(entry) if entry.shape == asked => return self.tensors.read(entry, dtype, device),
            Some(entry) => {
                let found = entry.shape.clone();
                let error = Error::UnexpectedShape {
                    msg: format!("shape mismatch for {name}"),
                    expected: asked.clone(),
                    got: found.clone(),
                };
                (Fault::OtherShape { name: name.to_owned(), asked: asked.clone(), found }, error)
            }
            None => {
                let error = Error::CannotFindTensor { path: name.to_owned() };
                (Fault::Missing { name: name.to_owned(), asked: Some(asked.clone()) }, error)
            }
        };
        match locked(&self.log).note(fault) {
            true => Tensor::zeros(asked, dtype, device),
            false => Err(error.bt()),
        }
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        locked(&self.log).ask(name);
        match self.tensors.index.get(name) {
            Some(entry) => self.tensors.read(entry, dtype, device),
            None => {
                locked(&self.log).note(Fault::Missing { name: name.to_owned(), asked: None });
                Err(Error::CannotFindTensor { path: name.to_owned() }.bt())
            }
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.tensors.index.contains_key(name)
    }
}
