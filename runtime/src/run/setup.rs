//! What a run is to do: its changes, and the recording that it starts from.

use std::any::TypeId;
use std::fmt;

use super::inputs::{Inputs, Seen};
use super::plain::RunResult;
use super::recording::{Base, Recording};
use crate::names::Describe;
use crate::pass::{AWAIT, At, Change, Changes, KEEP, Pass, Produced, REDUCE, Recorded, Replay, What};
use crate::select::{Aims, Reducer, Selection, Targets, Wants, stranger};
use crate::site::{Builder, Layout, Tree};
use crate::tapped::Tapped;
use crate::{Error, Result};

impl<M: Tapped> fmt::Debug for Setup<'_, '_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = self.model.type_name();
        f.debug_struct("Run")
            .field("model", &model)
            .field("changes", &self.changes.iter().len())
            .finish_non_exhaustive()
    }
}

/// How a model is run: what the generated functions of a [`Run`](super::Run) call.
pub struct Setup<'m, 'e, M: Tapped> {
    pub(crate) model: &'m M,
    pub(crate) layout: Layout,
    pub(crate) changes: Changes<'e>,
    /// What a recording is to keep, by site; everything if nothing is said.
    pub(crate) keep: Option<Vec<u8>>,
    pub(crate) base: Option<Base<'m>>,
    /// The first thing that was wrong while the run was set up. Running it is the error.
    pub(crate) fault: Option<String>,
    /// What may be left out of the flags of a run, worked out when it is set up.
    calls: u32,
}

/// What a run is asked for: flags by site, reductions, and how many values it must await before it may stop.
pub(crate) struct Asked<'s> {
    pub(crate) flags: Vec<u8>,
    pub(crate) reducers: Vec<Reducer<'s>>,
    pub(crate) awaited: Option<usize>,
    pub(crate) attached: bool,
}

impl Asked<'_> {
    /// The same, the run going on to its end.
    pub(crate) fn running_on(mut self) -> Self {
        self.flags.iter_mut().for_each(|flags| *flags &= !AWAIT);
        Asked { awaited: None, ..self }
    }
}

impl<'m, 'e, M: Tapped> Setup<'m, 'e, M> {
    pub(crate) fn new(model: &'m M) -> Self {
        let mut builder = Builder::for_pass();
        model.__taper_sites(&mut builder);
        let (layout, _) = builder.finish();
        Setup { model, layout, changes: Changes::default(), keep: None, base: None, fault: None, calls: 0 }
    }

    /// The model.
    pub fn model(&self) -> &'m M {
        self.model
    }

    /// Looks at the arguments, if somebody has to know them: a replay compares them.
    pub fn inputs(&self, see: impl FnOnce() -> Vec<(&'static str, Seen)>) -> Inputs {
        Inputs::seen(self.base.is_some(), see)
    }

    /// Looks at the arguments of a run that is recorded.
    pub fn inputs_to_record(&self, see: impl FnOnce() -> Vec<(&'static str, Seen)>) -> Inputs {
        Inputs::seen(true, see)
    }

    /// Runs the model and keeps what a later run may reuse.
    pub fn record<T, E: From<Error> + 'static>(
        &self,
        inputs: Inputs,
        forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
    ) -> RunResult<Recording<'m, 'e, M>, E> {
        Recording::of(self, inputs, forward)
    }

    pub(crate) fn user_sites(&self) -> M::Sites {
        self.model.__taper_sites(&mut Builder::for_user(self.layout.fingerprint))
    }

    fn fail(&mut self, error: &Error) {
        self.fault.get_or_insert_with(|| error.to_string());
    }

    /// Makes a change at every site of a selection.
    pub(crate) fn change<S: Targets>(
        &mut self,
        select: impl FnOnce(M::Sites) -> S,
        values: Option<&S::Value>,
        what: impl FnMut(usize, u32, Option<&S::Item>) -> What<'e>,
    ) {
        let selection = select(self.user_sites());
        if let Err(error) = self.try_change(&selection, values, what) {
            self.fail(&error);
        }
    }

    fn try_change<S: Targets>(
        &mut self,
        selection: &S,
        values: Option<&S::Value>,
        mut what: impl FnMut(usize, u32, Option<&S::Item>) -> What<'e>,
    ) -> Result<()> {
        self.calls += 1;
        for (position, aim) in Aims::of(selection, values)?.into_iter().enumerate() {
            if aim.span.tree != self.layout.fingerprint {
                return Err(stranger(aim.span.first, aim.span.tree, &self.model));
            }
            let whole = aim.span.end - aim.span.first > 1;
            // Of a whole submodule, the values of the type that is meant.
            let meant = whole.then(|| self.model.names().of_type(TypeId::of::<S::Item>()));
            for index in aim.span.first..aim.span.end {
                if meant.as_ref().is_some_and(|meant| !meant.contains(&index)) {
                    continue;
                }
                self.changes.push(Change {
                    index,
                    visits: aim.visits.clone(),
                    what: what(position, index, aim.value),
                    optional: false,
                    call: self.calls,
                    inherited: false,
                });
            }
        }
        Ok(())
    }

    /// Takes the inputs and weights to be those of the recording, which were compared.
    pub(crate) fn trust_base(&mut self) {
        if let Some(base) = &mut self.base {
            base.trust();
        }
    }

    pub(crate) fn allow_unreached(&mut self) {
        let last = self.calls;
        self.changes.allow_unreached(last);
    }

    /// Keeps only what is selected in a recording.
    pub(crate) fn keep_only<S: Selection>(&mut self, select: impl FnOnce(M::Sites) -> S) {
        let selection = select(self.user_sites());
        let mut wants = Wants::new(&self.layout);
        selection.want(&mut wants);
        let planned = wants.plan(&self.layout, &self.model);
        match planned {
            Ok((flags, ..)) => {
                self.keep =
                    Some(flags.iter().map(|flags| if flags & (KEEP | REDUCE) == 0 { 0 } else { KEEP }).collect())
            }
            Err(error) => self.fail(&error),
        }
    }

    /// What a selection asks for.
    pub(crate) fn asked<'s, S: Selection>(&self, selection: &'s S, attached: bool) -> Result<Asked<'s>> {
        let mut wants = Wants::new(&self.layout);
        selection.want(&mut wants);
        let (flags, reducers, awaited) = wants.plan(&self.layout, &self.model)?;
        Ok(Asked { flags, reducers, awaited: Some(awaited), attached })
    }

    /// A pass that does all this. `limit` is where a replay ends at the latest, beside its changes.
    pub(crate) fn pass<'r>(&'r self, asked: Asked<'r>, limit: Option<u32>, inputs: &Inputs) -> Result<Pass<'r>> {
        if let Some(fault) = &self.fault {
            return Err(Error::Msg(fault.clone()));
        }
        if !M::STATEFUL {
            self.check_skipped(&asked.flags)?;
        }
        let Asked { flags, reducers, awaited, attached } = asked;
        let mut pass = Pass::new(&self.layout, flags, &self.model).with_effects(M::STATEFUL);
        pass = pass.reducing(reducers, attached);
        if self.changes.iter().len() > 0 {
            pass = pass.changing(&self.changes);
        }
        if let Some(base) = &self.base {
            base.check(inputs)?;
            let limit = base.limit(&self.changes, &self.layout).min(limit.unwrap_or(u32::MAX));
            base.check_start(limit, &self.layout, &self.model)?;
            pass = pass.replaying(Replay::new(base.root, limit));
        }
        Ok(match awaited {
            Some(awaited) => pass.stopping(awaited),
            None => pass,
        })
    }

    /// A pass over a recording, whatever the inputs.
    pub(crate) fn unchecked_pass<'r>(&'r self, asked: Asked<'r>, limit: u32) -> Pass<'r> {
        let pass = Pass::new(&self.layout, asked.flags, &self.model).reducing(asked.reducers, asked.attached);
        match &self.base {
            Some(base) => pass.replaying(Replay::new(base.root, limit)),
            None => pass,
        }
    }

    /// Nothing inside what is replaced may be asked for or changed: it does not run.
    fn check_skipped(&self, flags: &[u8]) -> Result<()> {
        let mut replaced: Vec<&Change<'_>> = self.changes.iter().filter(|c| c.replaces()).collect();
        replaced.sort_by_key(|c| std::cmp::Reverse(c.index));
        for outer in replaced {
            let inside = self.layout.scope_before(outer.index)..outer.index;
            let wanted = inside.clone().find(|&i| flags[i as usize] != 0 && !self.layout.is_frame(i));
            let changed = || {
                let meets = |c: &&Change<'_>| {
                    inside.contains(&c.index) && !c.inherited && c.visits.iter().all(|v| agrees(v, &outer.visits))
                };
                self.changes.iter().find(meets).map(|c| c.index)
            };
            let Some((index, what)) = wanted.map(|i| (i, "captured")).or_else(|| changed().map(|i| (i, "changed")))
            else {
                continue;
            };
            let names = self.model.names();
            let (inner, outer) = (names.of(index), names.of(outer.index));
            return Err(Error::Msg(format!(
                "`{inner}` is {what}, and `{outer}`, in which it lies, is replaced, so that it does not run; to run it all the \
                 same, edit `{outer}` in place of replacing it: `.edit(|t| …, |_| Ok(value.clone()))`"
            )));
        }
        Ok(())
    }

    /// Runs the model, whatever it gives.
    pub fn forward<T, E: From<Error> + 'static>(
        &self,
        inputs: Inputs,
        forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
    ) -> RunResult<T, E> {
        let asked =
            Asked { flags: vec![0; self.layout.len as usize], reducers: Vec::new(), awaited: None, attached: true };
        let mut pass = self.pass(asked, None, &inputs)?;
        let result = forward(pass.at(&self.sites()));
        Ok(pass.finish(result)?.into_output()?)
    }

    /// Sites for a pass.
    pub(crate) fn sites(&self) -> M::Sites {
        self.model.__taper_sites(&mut Builder::for_pass())
    }

    /// Runs the model and keeps every value.
    pub fn forward_with_taps<T, E: From<Error> + 'static>(
        &self,
        inputs: Inputs,
        forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
    ) -> RunResult<(T, M::Taps), E> {
        let flags = vec![KEEP; self.layout.len as usize];
        let mut pass =
            self.pass(Asked { flags, reducers: Vec::new(), awaited: None, attached: true }, None, &inputs)?;
        let sites = self.sites();
        let result = forward(pass.at(&sites));
        let finished = pass.finish(result)?;
        let taps = sites.read_taps(&finished.reader())?;
        Ok((finished.into_output()?, taps))
    }

    /// Runs the model as far as it takes for what is selected.
    pub fn capture<S: Selection, T, E: From<Error> + 'static>(
        &self,
        attached: bool,
        inputs: Inputs,
        select: impl FnOnce(M::Sites) -> S,
        forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
    ) -> RunResult<S::Value, E> {
        let selection = select(self.user_sites());
        let mut pass = self.pass(self.asked(&selection, attached)?, None, &inputs)?;
        if pass.is_over() {
            return Ok(selection.read(&pass.finish::<(), E>(Ok(()))?.reader())?);
        }
        let result = forward(pass.at(&self.sites()));
        Ok(selection.read(&pass.finish(result)?.reader())?)
    }

    /// The same, the run going on to its end.
    pub(crate) fn capture_to_the_end<S: Selection, T, E: From<Error> + 'static>(
        &self,
        inputs: Inputs,
        select: impl FnOnce(M::Sites) -> S,
        forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
    ) -> RunResult<S::Value, E> {
        let selection = select(self.user_sites());
        let mut pass = self.pass(self.asked(&selection, false)?.running_on(), None, &inputs)?;
        let result = forward(pass.at(&self.sites()));
        Ok(selection.read(&pass.finish(result)?.reader())?)
    }

    /// Runs the model and keeps what a later run may reuse.
    pub(crate) fn recorded<T, E: From<Error> + 'static>(
        &self,
        inputs: &Inputs,
        forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
    ) -> RunResult<Recorded, E> {
        let mut pass = self.whole_pass(true, inputs)?.recording();
        let result = forward(pass.at(&self.sites()));
        Ok(Recorded::of(pass.finish(result)?.into_slots()))
    }

    /// Runs the model to its end, and gives every value in the order of production.
    pub(crate) fn in_order<T, E: From<Error> + 'static>(
        &self,
        inputs: &Inputs,
        forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
    ) -> RunResult<Vec<Produced>, E> {
        let mut pass = self.whole_pass(false, inputs)?.in_order();
        let result = forward(pass.at(&self.sites()));
        Ok(Produced::of(&pass.finish(result)?.into_slots(), &self.model.names()))
    }

    /// A pass that keeps what it is to keep, and everything if nothing is said.
    fn whole_pass(&self, attached: bool, inputs: &Inputs) -> Result<Pass<'_>> {
        let mut flags = self.keep.clone().unwrap_or_else(|| vec![KEEP; self.layout.len as usize]);
        if !M::STATEFUL {
            // What is replaced for good does not run, and there is nothing of it to keep.
            for change in self.changes.iter().filter(|change| change.replaces()) {
                let inside = self.layout.scope_before(change.index)..change.index;
                flags[inside.start as usize..inside.end as usize].fill(0);
            }
        }
        self.pass(Asked { flags, reducers: Vec::new(), awaited: None, attached }, None, inputs)
    }
}

/// Whether a visit is one of those that are meant.
fn agrees((node, visit): &(u32, u32), meant: &[(u32, u32)]) -> bool {
    meant.iter().find(|(n, _)| n == node).is_none_or(|(_, v)| v == visit)
}
