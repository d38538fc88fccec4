//! Runs without changes: what a model's `forward_with_taps`, `capture` and `sites` do.

use crate::Error;
use crate::names::SiteTable;
use crate::pass::{At, KEEP, Pass};
use crate::select::{Selection, Wants};
use crate::site::{Builder, Tree};
use crate::tapped::Tapped;

pub(crate) type RunResult<T, E> = std::result::Result<T, E>;

/// One run that keeps every value.
pub fn forward_with_taps<M: Tapped, T, E: From<Error> + 'static>(
    model: &M,
    forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
) -> RunResult<(T, M::Taps), E> {
    let mut builder = Builder::for_pass();
    let sites = model.__taper_sites(&mut builder);
    let (layout, _) = builder.finish();
    let mut pass = Pass::new(&layout, vec![KEEP; layout.len as usize], &model);
    let result = forward(pass.at(&sites));
    let finished = pass.finish(result)?;
    let taps = sites.read_taps(&finished.reader())?;
    Ok((finished.into_output()?, taps))
}

/// What `sites()` gives.
pub fn site_table<M: Tapped>(model: &M) -> SiteTable<M::Sites> {
    SiteTable::of(model)
}

/// One run that keeps what is selected, on the autograd graph if `attached`, and stops once all of it is known.
pub fn capture<M: Tapped, S: Selection, T, E: From<Error> + 'static>(
    model: &M,
    attached: bool,
    select: impl FnOnce(M::Sites) -> S,
    forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
) -> RunResult<S::Value, E> {
    let mut builder = Builder::for_pass();
    let sites = model.__taper_sites(&mut builder);
    let (layout, _) = builder.finish();
    let selection = select(model.__taper_sites(&mut Builder::for_user(layout.fingerprint)));
    let mut wants = Wants::new(&layout);
    selection.want(&mut wants);
    let (flags, reducers, awaited) = wants.plan(&layout, &model)?;
    let pass = Pass::new(&layout, flags, &model).with_effects(M::STATEFUL);
    let mut pass = pass.reducing(reducers, attached).stopping(awaited);
    if !pass.is_over() {
        let result = forward(pass.at(&sites));
        let finished = pass.finish(result)?;
        return Ok(selection.read(&finished.reader())?);
    }
    Ok(selection.read(&pass.finish::<(), E>(Ok(()))?.reader())?)
}
