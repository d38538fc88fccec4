//! A finished run whose values can be reused.

use std::fmt;

use super::inputs::Inputs;
use super::plain::RunResult;
use super::setup::Setup;
use super::weights::Weights;
use super::{Run, Runnable};
use crate::names::Describe;
use crate::pass::{At, Changes, Entry, Recorded, What};
use crate::select::{Selection, Targets};
use crate::site::Layout;
use crate::tapped::Tapped;
use crate::{Error, Result};

/// A finished run whose values can be reused: what `record` gives.
///
/// [`replay`](Self::replay) runs the model again, and takes from the recording every call that came before the first
/// change: only what the change can reach is computed. A recording keeps the changes of its run, and replays inherit them.
///
/// A replay is of the same inputs and the same weights; others are refused.
pub struct Recording<'m, 'e, M: Tapped> {
    model: &'m M,
    root: Recorded,
    changes: Changes<'e>,
    inputs: Inputs,
    weights: Weights,
    layout: Layout,
}

/// What a replay starts from.
pub(crate) struct Base<'m> {
    pub(crate) root: &'m Recorded,
    inputs: &'m Inputs,
    weights: &'m Weights,
    /// The site that the run starts at, nothing before it being computed.
    start: Option<Start>,
    /// Inputs and weights were compared a moment ago.
    trusted: bool,
}

/// A site, and which of its visits.
struct Start {
    index: u32,
    visits: Vec<(u32, u32)>,
}

impl<'m, 'e, M: Tapped> Recording<'m, 'e, M> {
    pub(crate) fn of<T, E: From<Error> + 'static>(
        setup: &Setup<'m, 'e, M>,
        inputs: Inputs,
        forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
    ) -> RunResult<Self, E> {
        inputs.check_comparable()?;
        let root = setup.recorded(&inputs, forward)?;
        let weights = Weights::of(setup.model, &root)?;
        let layout = setup.layout.clone();
        Ok(Recording { model: setup.model, root, changes: setup.changes.clone(), inputs, weights, layout })
    }

    /// The recorded values of a selection, in its shape, on the autograd graph of the recorded run.
    ///
    /// # Errors
    /// A selection that does not fit the model, or of what was not kept.
    pub fn values<S: Selection>(&self, select: impl FnOnce(M::Sites) -> S) -> Result<S::Value> {
        let mut setup = Setup::new(self.model);
        setup.base = Some(self.base());
        let selection = select(setup.user_sites());
        let mut pass = setup.unchecked_pass(setup.asked(&selection, true)?.running_on(), u32::MAX);
        pass.take_all(&self.root)?;
        selection.read(&pass.finish::<(), Error>(Ok(()))?.reader())
    }

    pub(crate) fn base(&self) -> Base<'_> {
        Base { root: &self.root, inputs: &self.inputs, weights: &self.weights, start: None, trusted: false }
    }

    pub(crate) fn model(&self) -> &'m M {
        self.model
    }

    pub(crate) fn changes(&self) -> &Changes<'e> {
        &self.changes
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn root(&self) -> &Recorded {
        &self.root
    }
}

impl<'m, 'e, M: Runnable> Recording<'m, 'e, M> {
    /// A run that starts from the recording: to be changed, and then run on the same inputs.
    ///
    /// A submodule's recorded output is reused if everything in it came before the first change.
    pub fn replay<'r, 'x>(&'r self) -> Run<'r, 'x, M>
    where
        'e: 'x,
    {
        let mut setup = Setup::new(self.model);
        setup.changes = self.changes.inherited();
        setup.base = Some(self.base());
        Run::of(setup)
    }
}

impl<M: Tapped> fmt::Debug for Recording<'_, '_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("model", &self.model.type_name()).finish_non_exhaustive()
    }
}

impl Base<'_> {
    /// Inputs and weights need no more looking at: the same run follows.
    pub(crate) fn trust(&mut self) {
        self.trusted = true;
    }

    /// A replay is of the same inputs and weights.
    pub(crate) fn check(&self, inputs: &Inputs) -> Result<()> {
        if self.trusted {
            return Ok(());
        }
        inputs.check_same(self.inputs)?;
        if self.weights.unchanged()? {
            return Ok(());
        }
        Err(Error::Msg(
            "the recording is stale: a `Var` that the model depends on was set since; record the run again".to_owned(),
        ))
    }

    /// When the first new change is made in the recorded order.
    pub(crate) fn limit(&self, changes: &Changes<'_>, layout: &Layout) -> u32 {
        let new = changes.iter().filter(|change| !change.inherited);
        let orders = new.filter_map(|change| self.root.first_order(change.index, &change.visits, layout));
        orders.min().unwrap_or(u32::MAX)
    }

    /// Nothing may be computed before the start: every call before it must be recorded.
    pub(crate) fn check_start(&self, limit: u32, layout: &Layout, model: &dyn Describe) -> Result<()> {
        let Some(Start { index: start, visits }) = &self.start else { return Ok(()) };
        let (start, names) = (*start, || model.names());
        let Some(order) = self.root.first_order(start, visits, layout) else {
            return Err(Error::Msg(format!(
                "the run can't start at `{}`: the recorded run did not reach it",
                names().of(start)
            )));
        };
        if limit < order {
            return Err(Error::Msg(format!(
                "the run starts at `{}`, and something before it is changed; change only what comes after the start",
                names().of(start)
            )));
        }
        let mut lacking = Vec::new();
        let root = Gap { limit: order, layout };
        root.find(self.root, 0..layout.len, Some(layout.len - 1), &mut lacking);
        if lacking.is_empty() {
            return Ok(());
        }
        let names = names();
        let lacking: Vec<_> = lacking.iter().map(|&index| format!("`{}`", names.of(index))).collect();
        Err(Error::Msg(format!(
            "the run can't start at `{}`: the code before it needs {}, which the recording has not kept; keep them when \
             recording",
            names.of(start),
            lacking.join(", ")
        )))
    }
}

/// Calls before the start whose values were not kept.
struct Gap<'l> {
    limit: u32,
    layout: &'l Layout,
}

impl Gap<'_> {
    /// Looks through a range of a frame. `own` is the output of the model whose inside the range is.
    fn find(&self, frame: &Recorded, range: std::ops::Range<u32>, own: Option<u32>, lacking: &mut Vec<u32>) {
        let mut index = range.start;
        while index < range.end {
            if self.layout.is_frame(index) {
                let span = self.layout.frame_at(index);
                for inner in frame.frames(index) {
                    self.find(inner, span.first + 1..span.end, None, lacking);
                }
                index = span.end;
                continue;
            }
            // The largest model that begins here and is not the one looked through.
            let inside = |last: &u32| *last < range.end && Some(*last) != own;
            let scopes = self.layout.scopes.iter().filter(|(first, last)| *first == index && inside(last));
            let output = scopes.map(|(_, last)| *last).max().unwrap_or(index);
            self.check(frame, index, output, lacking);
            index = output + 1;
        }
    }

    fn check(&self, frame: &Recorded, first: u32, output: u32, lacking: &mut Vec<u32>) {
        match frame.entry(output) {
            Entry::NotKept { order } if *order < self.limit && !self.layout.is_tap(output) => lacking.push(output),
            // Begun before the start and not ended: the start lies in it, or it stopped there.
            Entry::NotKept { order } | Entry::Value { order, .. } if *order > self.limit && first < output => {
                self.find(frame, first..output, Some(output), lacking);
            }
            _ => {}
        }
    }
}

impl<'m, M: Runnable> Run<'m, '_, M> {
    /// Starts in the middle: the value at a site is `value`, and nothing that comes before it is computed.
    ///
    /// The run must be a [replay](Recording::replay): what later code needs of what came before is taken from the
    /// recording.
    ///
    /// # Errors
    /// When it is run: a run that is no replay, a change before the start, and a recording that lacks what later code needs,
    /// which the error lists.
    pub fn start_at<S: Targets<Item: Send + Sync>>(self, select: impl FnOnce(M::Sites) -> S, value: &S::Value) -> Self {
        self.with(|setup| {
            if setup.base.is_none() {
                setup.fault.get_or_insert_with(|| {
                    "a run starts in the middle of a recording only: record the model, and start its replay".to_owned()
                });
                return;
            }
            let before = setup.changes.iter().len();
            setup.change(select, Some(value), |_, _, value| match value {
                Some(value) => What::put_in_place(value),
                None => What::edit(|value: &S::Item| Ok(value.clone())),
            });
            let mut started = setup.changes.iter().skip(before);
            let start = started.next().map(|change| Start { index: change.index, visits: change.visits.clone() });
            let others = started.len();
            if setup.fault.is_none() && (start.is_none() || others > 0) {
                let selected = others + usize::from(start.is_some());
                setup.fault = Some(format!("a run starts at one site, and {selected} were selected"));
            }
            if let Some(base) = &mut setup.base {
                base.start = start;
            }
        })
    }
}
