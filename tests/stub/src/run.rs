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

pub trait Running: Sized {
    type Model: Tapped;

    fn of(&self) -> &Self::Model {
        unimplemented()
    }

    fn inputs(&self, _recorded: bool, _see: impl FnOnce() -> Vec<(&'static str, Seen)>) -> Inputs {
        Inputs
    }
}

impl<M: Tapped> Running for Setup<'_, '_, M> {
    type Model = M;
}

impl<M: Tapped> Running for LossSetup<'_, '_, M> {
    type Model = M;
}

pub trait Job<S: Running, T>: Sized {
    type Value;
    const RECORDS: bool = false;

    fn run<E>(
        self,
        _setup: &S,
        _inputs: Inputs,
        _forward: impl FnOnce(At<'_, '_, '_, <S::Model as Tapped>::Sites>) -> RunResult<T, E>,
    ) -> RunResult<Self::Value, E> {
        unimplemented()
    }
}

pub struct Forward;
pub struct WithTaps;
pub struct Capture<F> {
    pub attached: bool,
    pub select: F,
}
pub struct Record;
pub struct Differentiate<F>(pub F);

impl<M: Tapped, T> Job<Setup<'_, '_, M>, T> for Forward {
    type Value = T;
}

impl<M: Tapped, T> Job<Setup<'_, '_, M>, T> for WithTaps {
    type Value = (T, M::Taps);
}

impl<M: Tapped, T, S: Selection, F: FnOnce(M::Sites) -> S> Job<Setup<'_, '_, M>, T> for Capture<F> {
    type Value = S::Value;
}

impl<'m, 'e, M: Tapped, T> Job<Setup<'m, 'e, M>, T> for Record {
    type Value = Recording<'m, 'e, M>;
}

impl<M: Tapped, T, S: Selection, F: FnOnce(M::Sites) -> S> Job<LossSetup<'_, '_, M>, T> for Differentiate<F> {
    type Value = Gradients<S::Value>;
}
