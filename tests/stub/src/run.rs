//! The entry points of generated code.

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
