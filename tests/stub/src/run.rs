//! The entry points of generated code, and runs.

use std::marker::PhantomData;
use std::ops::Deref;

use crate::names::SiteTable;
use crate::pass::{At, unimplemented};
use crate::select::Selection;
use crate::tapped::Tapped;

type RunResult<T, E> = std::result::Result<T, E>;

pub fn forward_with_taps<M: Tapped, T, E>(
    _model: &M,
    _forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
) -> RunResult<(T, M::Taps), E> {
    unimplemented()
}

pub fn site_table<M: Tapped>(model: &M) -> SiteTable<M::Sites> {
    SiteTable::of(model)
}

pub fn capture<M: Tapped, S: Selection, T, E>(
    _model: &M,
    _attached: bool,
    _select: impl FnOnce(M::Sites) -> S,
    _forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
) -> RunResult<S::Value, E> {
    unimplemented()
}

pub trait Runnable: Tapped {
    type Runner<S>: Runner<S>;
}

pub trait Runner<S> {
    fn of(setup: S) -> Self;
    fn setup(&self) -> &S;
    fn setup_mut(&mut self) -> &mut S;
    fn into_setup(self) -> S;
}

pub struct Run<'m, 'e, M: Runnable + 'm> {
    runner: M::Runner<Setup<'m, 'e, M>>,
}

impl<'m, 'e, M: Runnable> Deref for Run<'m, 'e, M> {
    type Target = M::Runner<Setup<'m, 'e, M>>;

    fn deref(&self) -> &Self::Target {
        &self.runner
    }
}

pub fn run<M: Runnable>(_model: &M) -> Run<'_, '_, M> {
    unimplemented()
}

pub struct Recording<'m, 'e, M>(PhantomData<(&'m M, &'e ())>);
pub struct Gradients<V>(PhantomData<V>);
pub struct Inputs;
pub struct Seen;
pub struct Argument<'a, T: ?Sized>(pub &'a T);
pub struct Setup<'m, 'e, M>(PhantomData<(&'m M, &'e ())>);
pub struct LossSetup<'m, 'e, M>(PhantomData<(&'m M, &'e ())>);

pub trait Incomparable {
    fn see(&self) -> Seen {
        Seen
    }
}

impl<T: ?Sized> Incomparable for Argument<'_, T> {}

pub trait Comparable {}

impl<'m, 'e, M: Tapped> Setup<'m, 'e, M> {
    pub fn model(&self) -> &'m M {
        unimplemented()
    }

    pub fn inputs(&self, _see: impl FnOnce() -> Vec<(&'static str, Seen)>) -> Inputs {
        Inputs
    }

    pub fn inputs_to_record(&self, _see: impl FnOnce() -> Vec<(&'static str, Seen)>) -> Inputs {
        Inputs
    }

    pub fn forward<T, E>(
        &self,
        _inputs: Inputs,
        _forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
    ) -> RunResult<T, E> {
        unimplemented()
    }

    pub fn forward_with_taps<T, E>(
        &self,
        _inputs: Inputs,
        _forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
    ) -> RunResult<(T, M::Taps), E> {
        unimplemented()
    }

    pub fn capture<S: Selection, T, E>(
        &self,
        _attached: bool,
        _inputs: Inputs,
        _select: impl FnOnce(M::Sites) -> S,
        _forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
    ) -> RunResult<S::Value, E> {
        unimplemented()
    }

    pub fn record<T, E>(
        &self,
        _inputs: Inputs,
        _forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
    ) -> RunResult<Recording<'m, 'e, M>, E> {
        unimplemented()
    }
}

impl<'m, M: Tapped> LossSetup<'m, '_, M> {
    pub fn model(&self) -> &'m M {
        unimplemented()
    }

    pub fn inputs(&self, _see: impl FnOnce() -> Vec<(&'static str, Seen)>) -> Inputs {
        Inputs
    }

    pub fn gradients<S: Selection, T, E>(
        &self,
        _inputs: Inputs,
        _select: impl FnOnce(M::Sites) -> S,
        _forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
    ) -> RunResult<Gradients<S::Value>, E> {
        unimplemented()
    }
}
