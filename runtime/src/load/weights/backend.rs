//! The backend behind a strict `VarBuilder`: it notes every request, and goes on where candle's own would stop.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::Init;
use candle_nn::var_builder::SimpleBackend;

use super::{Entry, Progress, Tensors, quantized};
use crate::{Error, Result};

pub(super) struct Strict {
    pub(super) tensors: Arc<Tensors>,
    pub(super) log: Arc<Mutex<Log>>,
    /// What is told how much was read, and how much there is.
    pub(super) progress: Option<(Progress, u64)>,
}

/// With so many faults it is another model's file, or a number of layers that nothing has: the loading ends.
const MOST: usize = 4096;

/// What was asked for, and what was wrong with it.
#[derive(Default)]
pub(super) struct Log {
    /// The tensors by their names, with the names by which they were asked for.
    pub(super) asked: HashMap<String, String>,
    read: u64,
    pub(super) faults: Vec<Fault>,
    /// A builder that outlives the loading gets no zeros: nobody would look at the faults.
    finished: bool,
}

/// A request that the source cannot fulfil; the same request made twice is one fault.
#[derive(Clone, PartialEq)]
pub(super) enum Fault {
    Missing {
        name: String,
        asked: Option<Shape>,
    },
    OtherShape {
        name: String,
        asked: Shape,
        found: Shape,
    },
    OtherDType {
        name: String,
        asked: DType,
        found: String,
    },
    /// One tensor for two, which only a second name makes possible.
    Twice {
        name: String,
        first: String,
        second: String,
    },
}

impl Log {
    /// What was noted, and the end of it.
    pub(super) fn finish(&mut self) -> Log {
        mem::replace(self, Log { finished: true, ..Log::default() })
    }

    /// Notes a fault. Is anybody going to look at it, and at more?
    fn note(&mut self, fault: Fault) -> bool {
        if !self.finished && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
        !self.finished && self.faults.len() < MOST
    }
}

/// A loader that panicked in another thread has still asked for what it asked for.
pub(super) fn locked(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Strict {
    /// Looks a tensor up, and notes that it was asked for.
    fn ask(&self, name: &str) -> Option<&Entry> {
        let (own, entry) = self.tensors.find(name)?;
        let mut log = locked(&self.log);
        let first = log.asked.entry(own.to_owned()).or_insert_with(|| name.to_owned()).clone();
        if first != name {
            log.note(Fault::Twice { name: own.to_owned(), first, second: name.to_owned() });
        }
        Some(entry)
    }

    fn read<T>(&self, entry: &Entry, read: impl FnOnce(&Tensors) -> Result<T>) -> Result<T> {
        let tensor = read(&self.tensors)?;
        if let Some((report, all)) = &self.progress {
            let mut log = locked(&self.log);
            // A tensor that is asked for again is read again, and there is not more of it.
            log.read = (log.read + entry.size).min(*all);
            let read = log.read;
            drop(log);
            report(read, *all);
        }
        Ok(tensor)
    }

    /// Hands a quantized tensor over, where it is of the shape `asked`.
    fn hand_over(&self, name: &str, asked: &Shape, device: &Device) -> Result<Tensor> {
        if let Some(entry) = self.ask(name).filter(|entry| entry.shape == *asked) {
            quantized::hand_over(self.read(entry, |tensors| tensors.quantized(entry, device))?);
        }
        Tensor::zeros(0, DType::U8, &Device::Cpu)
    }

    /// Zeros in place of what the source does not have, if somebody is going to look at the fault.
    fn zeros(&self, fault: Fault, error: Error, shape: Shape, dtype: DType, device: &Device) -> Result<Tensor> {
        // A size that is out of all proportion ends the loading, before it takes the memory of the machine.
        let count = shape.dims().iter().try_fold(1u64, |count, dim| count.checked_mul(*dim as u64));
        let in_proportion = count.is_some_and(|count| count <= self.tensors.size().saturating_mul(8).max(1 << 24));
        match locked(&self.log).note(fault) && in_proportion {
            true => Tensor::zeros(shape, dtype, device),
            false => Err(error.bt()),
        }
    }
}

/// Floats where the loader asks for integers, or the other way round.
fn other_dtype(name: &str, entry: &Entry, asked: DType) -> Option<(Fault, Error)> {
    if entry.holds.becomes(asked) {
        return None;
    }
    let found = entry.holds.to_string();
    let error = Error::Msg(format!("`{name}` holds {found} where {asked:?} is asked for"));
    Some((Fault::OtherDType { name: name.to_owned(), asked, found }, error))
}

impl SimpleBackend for Strict {
    fn get(&self, asked: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        if let Some((name, _)) = quantized::marked(name) {
            return self.hand_over(name, &asked, device);
        }
        let (fault, error) = match self.ask(name) {
            Some(entry) if entry.shape == asked => match other_dtype(name, entry, dtype) {
                None => return self.read(entry, |tensors| tensors.read(entry, dtype, device)),
                Some(other) => other,
            },
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
        self.zeros(fault, error, asked, dtype, device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        match self.ask(name) {
            Some(entry) => match other_dtype(name, entry, dtype) {
                None => self.read(entry, |tensors| tensors.read(entry, dtype, device)),
                Some((fault, error)) => self.zeros(fault, error, entry.shape.clone(), dtype, device),
            },
            None => {
                locked(&self.log).note(Fault::Missing { name: name.to_owned(), asked: None });
                Err(Error::CannotFindTensor { path: name.to_owned() }.bt())
            }
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        match quantized::marked(name) {
            Some((name, blocks)) => self.tensors.find(name).is_some_and(|(_, entry)| entry.holds.to_string() == blocks),
            None => self.tensors.find(name).is_some(),
        }
    }
}
