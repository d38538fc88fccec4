//! What the functions of a run are for. Generated code names the arguments and calls the model in one place, and gives
//! each of them what it does with that.

use super::inputs::{Inputs, Seen};
use super::loss::LossSetup;
use super::plain::RunResult;
use super::{Gradients, Recording, Setup};
use crate::Error;
use crate::pass::At;
use crate::select::Selection;
use crate::tapped::{Sites, Tapped};

/// What a runner holds.
pub trait Running {
    /// The model.
    type Model: Tapped;

    /// The model.
    fn of(&self) -> &Self::Model;

    /// Looks at the arguments, if somebody has to know them: a recording does, and a replay compares them.
    fn inputs(&self, recorded: bool, see: impl FnOnce() -> Vec<(&'static str, Seen)>) -> Inputs;
}

impl<M: Tapped> Running for Setup<'_, '_, M> {
    type Model = M;

    fn of(&self) -> &M {
        self.model()
    }

    fn inputs(&self, recorded: bool, see: impl FnOnce() -> Vec<(&'static str, Seen)>) -> Inputs {
        match recorded {
            true => self.inputs_to_record(see),
            false => self.inputs(see),
        }
    }
}

impl<M: Tapped> Running for LossSetup<'_, '_, M> {
    type Model = M;

    fn of(&self) -> &M {
        self.model()
    }

    fn inputs(&self, _: bool, see: impl FnOnce() -> Vec<(&'static str, Seen)>) -> Inputs {
        self.inputs(see)
    }
}

/// One of the functions, for a model that gives a `T`.
pub trait Job<S: Running, T> {
    /// What it returns.
    type Value;
    /// Whether the run is recorded.
    const RECORDS: bool = false;

    /// Runs the model by `forward`.
    fn run<E: From<Error> + 'static>(
        self,
        setup: &S,
        inputs: Inputs,
        forward: impl FnOnce(At<'_, '_, '_, Sites<S::Model>>) -> RunResult<T, E>,
    ) -> RunResult<Self::Value, E>;
}

/// `forward`.
#[derive(Debug)]
pub struct Forward;

impl<M: Tapped, T> Job<Setup<'_, '_, M>, T> for Forward {
    type Value = T;

    fn run<E: From<Error> + 'static>(
        self,
        setup: &Setup<'_, '_, M>,
        inputs: Inputs,
        forward: impl FnOnce(At<'_, '_, '_, Sites<M>>) -> RunResult<T, E>,
    ) -> RunResult<T, E> {
        setup.forward(inputs, forward)
    }
}

/// `forward_with_taps`.
#[derive(Debug)]
pub struct WithTaps;

impl<M: Tapped, T> Job<Setup<'_, '_, M>, T> for WithTaps {
    type Value = (T, M::Taps);

    fn run<E: From<Error> + 'static>(
        self,
        setup: &Setup<'_, '_, M>,
        inputs: Inputs,
        forward: impl FnOnce(At<'_, '_, '_, Sites<M>>) -> RunResult<T, E>,
    ) -> RunResult<Self::Value, E> {
        setup.forward_with_taps(inputs, forward)
    }
}

/// `capture` and `capture_attached`, and the selection.
#[derive(Debug)]
pub struct Capture<F> {
    /// Whether on the autograd graph.
    pub attached: bool,
    /// The selection.
    pub select: F,
}

impl<M: Tapped, T, S: Selection, F: FnOnce(Sites<M>) -> S> Job<Setup<'_, '_, M>, T> for Capture<F> {
    type Value = S::Value;

    fn run<E: From<Error> + 'static>(
        self,
        setup: &Setup<'_, '_, M>,
        inputs: Inputs,
        forward: impl FnOnce(At<'_, '_, '_, Sites<M>>) -> RunResult<T, E>,
    ) -> RunResult<S::Value, E> {
        setup.capture(self.attached, inputs, self.select, forward)
    }
}

/// `record`.
#[derive(Debug)]
pub struct Record;

impl<'m, 'e, M: Tapped, T> Job<Setup<'m, 'e, M>, T> for Record {
    type Value = Recording<'m, 'e, M>;
    const RECORDS: bool = true;

    fn run<E: From<Error> + 'static>(
        self,
        setup: &Setup<'m, 'e, M>,
        inputs: Inputs,
        forward: impl FnOnce(At<'_, '_, '_, Sites<M>>) -> RunResult<T, E>,
    ) -> RunResult<Self::Value, E> {
        setup.record(inputs, forward)
    }
}

/// `gradients`, and the selection.
#[derive(Debug)]
pub struct Differentiate<F>(pub F);

impl<M: Tapped, T, S: Selection, F: FnOnce(Sites<M>) -> S> Job<LossSetup<'_, '_, M>, T> for Differentiate<F> {
    type Value = Gradients<S::Value>;

    fn run<E: From<Error> + 'static>(
        self,
        setup: &LossSetup<'_, '_, M>,
        inputs: Inputs,
        forward: impl FnOnce(At<'_, '_, '_, Sites<M>>) -> RunResult<T, E>,
    ) -> RunResult<Self::Value, E> {
        setup.gradients(inputs, self.0, forward)
    }
}
