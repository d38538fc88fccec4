//! Gradients with respect to what flows through a model.

use std::fmt;
use std::ops::Deref;

use candle_core::Tensor;

use super::inputs::{Inputs, Seen};
use super::plain::RunResult;
use super::setup::{Asked, Setup};
use super::{Runnable, Runner};
use crate::names::Describe;
use crate::pass::{AWAIT, At, KEEP, PLANT, REDUCE, Read, Reader, Slot, Slots, read_planted};
use crate::select::{Reducer, Selection, Wants};
use crate::tapped::Tapped;
use crate::{Error, Result};

/// A run and a number to differentiate: what [`Run::loss`](super::Run::loss) gives.
///
/// Its `gradients` takes the arguments of the model's own `forward` and a selection.
#[must_use = "a loss does nothing until it is differentiated: `gradients`"]
pub struct Loss<'m, 'e, M: Runnable + 'm> {
    runner: M::Runner<LossSetup<'m, 'e, M>>,
}

/// What the generated `gradients` calls.
pub struct LossSetup<'m, 'e, M: Tapped> {
    pub(crate) setup: Setup<'m, 'e, M>,
    of: Box<dyn LossOf + Send + Sync + 'e>,
}

/// A selection, and the number that is made of its values.
trait LossOf {
    fn want<'s>(&'s self, wants: &mut Wants<'s>);
    fn of(&self, reader: &Reader<'_>) -> Result<Tensor>;
}

struct Of<S, F> {
    selection: S,
    f: F,
}

impl<S: Selection, F: Fn(&S::Value) -> Result<Tensor>> LossOf for Of<S, F> {
    fn want<'s>(&'s self, wants: &mut Wants<'s>) {
        self.selection.want(wants);
    }

    fn of(&self, reader: &Reader<'_>) -> Result<Tensor> {
        (self.f)(&self.selection.read(reader)?)
    }
}

/// A loss, and its gradients with respect to what was selected: what `gradients` gives.
#[derive(Clone, Debug)]
pub struct Gradients<V> {
    /// The loss, a scalar.
    pub loss: Tensor,
    /// The values that flowed on, in the shape of the selection.
    pub values: V,
    /// The gradient of the loss with respect to each, in the same shape.
    pub gradients: V,
}

impl<'m, 'e, M: Runnable> Deref for Loss<'m, 'e, M> {
    type Target = M::Runner<LossSetup<'m, 'e, M>>;

    fn deref(&self) -> &Self::Target {
        &self.runner
    }
}

impl<M: Runnable> fmt::Debug for Loss<'_, '_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = self.runner.setup().setup.model.type_name();
        f.debug_struct("Loss").field("model", &model).finish_non_exhaustive()
    }
}

impl<'m, 'e, M: Runnable> Loss<'m, 'e, M> {
    pub(crate) fn of<S, F>(setup: Setup<'m, 'e, M>, select: impl FnOnce(M::Sites) -> S, f: F) -> Self
    where
        S: Selection + Send + Sync + 'e,
        F: Fn(&S::Value) -> Result<Tensor> + Send + Sync + 'e,
    {
        let selection = select(setup.user_sites());
        Loss { runner: Runner::of(LossSetup { setup, of: Box::new(Of { selection, f }) }) }
    }

    pub(crate) fn setup(&self) -> &LossSetup<'m, 'e, M> {
        self.runner.setup()
    }
}

/// What a differentiated run is asked for.
struct Plan<'r> {
    asked: Asked<'r>,
    /// Reductions of values and gradients.
    reducers: Vec<Reducer<'r>>,
    /// Where a replay ends at the latest: at the first value that is differentiated.
    limit: u32,
}

impl<'m, M: Tapped> LossSetup<'m, '_, M> {
    /// The model.
    pub fn model(&self) -> &'m M {
        self.setup.model
    }

    /// Looks at the arguments, if somebody has to know them.
    pub fn inputs(&self, see: impl FnOnce() -> Vec<(&'static str, Seen)>) -> Inputs {
        self.setup.inputs(see)
    }

    /// Runs the model until the loss is known, and differentiates it.
    pub fn gradients<S: Selection, T, E: From<Error> + 'static>(
        &self,
        inputs: Inputs,
        select: impl FnOnce(M::Sites) -> S,
        forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
    ) -> RunResult<Gradients<S::Value>, E> {
        let selection = select(self.setup.user_sites());
        self.gradients_of(&self.setup, inputs, &selection, forward)
    }

    /// The same of another run of the model.
    pub(crate) fn gradients_of<S: Selection, T, E: From<Error> + 'static>(
        &self,
        setup: &Setup<'_, '_, M>,
        inputs: Inputs,
        selection: &S,
        forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
    ) -> RunResult<Gradients<S::Value>, E> {
        let Plan { asked, reducers, limit } = self.plan(setup, selection)?;
        let planted: Vec<u32> =
            (0..).zip(&asked.flags).filter(|(_, flags)| **flags & PLANT != 0).map(|(index, _)| index).collect();
        let mut pass = setup.pass(asked, Some(limit), &inputs)?.differentiated();
        let result = forward(pass.at(&setup.sites()));
        let finished = pass.finish(result)?;
        self.all_reached(finished.slots(), &planted)?;
        let loss = self.of.of(&finished.reader())?;
        let suspect = finished.suspect();
        Ok(self.differentiate(&loss, finished.slots(), &reducers, selection, suspect)?)
    }

    /// The loss of another run of the model, without its gradients.
    pub(crate) fn loss_of<T, E: From<Error> + 'static>(
        &self,
        setup: &Setup<'_, '_, M>,
        inputs: Inputs,
        forward: impl FnOnce(At<'_, '_, '_, M::Sites>) -> RunResult<T, E>,
    ) -> RunResult<Tensor, E> {
        let mut wants = Wants::new(&setup.layout);
        self.of.want(&mut wants);
        let (flags, reducers, awaited) = wants.plan(&setup.layout, &setup.model)?;
        let asked = Asked { flags, reducers, awaited: Some(awaited), attached: false };
        let mut pass = setup.pass(asked, None, &inputs)?;
        let result = forward(pass.at(&setup.sites()));
        Ok(scalar(&self.of.of(&pass.finish(result)?.reader())?)?.detach())
    }

    fn plan<'r, S: Selection>(&'r self, setup: &'r Setup<'_, '_, M>, selection: &'r S) -> Result<Plan<'r>> {
        let mut wants = Wants::new(&setup.layout);
        self.of.want(&mut wants);
        let (mut flags, of, mut awaited) = wants.plan(&setup.layout, &setup.model)?;
        if awaited == 0 {
            return Err(Error::Msg("the loss is of nothing: select what it is made of".to_owned()));
        }
        let mut wants = Wants::new(&setup.layout);
        selection.want(&mut wants);
        let (wanted, reducers, _) = wants.plan(&setup.layout, &setup.model)?;
        let mut limit = u32::MAX;
        let layout = &setup.layout;
        // What a run may skip or repeat is known when the call that bounds it is over, and not before.
        for bound in layout.frames.iter().filter(|(first, _)| wanted[*first as usize] & KEEP != 0) {
            let end = layout.scope_end(layout.frames_around(bound.0).next().unwrap_or(bound.0)) as usize;
            awaited += usize::from(flags[end] & AWAIT == 0);
            flags[end] |= AWAIT;
        }
        for (index, wanted) in (0..).zip(wanted).filter(|(_, wanted)| wanted & (KEEP | REDUCE) != 0) {
            let flags = &mut flags[index as usize];
            if setup.layout.is_frame(index) {
                *flags |= wanted & KEEP;
                continue;
            }
            *flags |= PLANT;
            let recorded = setup.base.as_ref().and_then(|base| base.root.first_order(index, &[], &setup.layout));
            limit = limit.min(recorded.unwrap_or(u32::MAX));
        }
        let asked = Asked { flags, reducers: of, awaited: Some(awaited), attached: true };
        Ok(Plan { asked, reducers, limit })
    }

    fn all_reached(&self, slots: &Slots, planted: &[u32]) -> Result<()> {
        let plain = |index: &u32| self.setup.layout.frames_around(*index).next().is_none();
        let Some(&left) = planted.iter().filter(|i| plain(i)).find(|&&i| matches!(slots.get(i), Slot::Empty)) else {
            return Ok(());
        };
        let name = self.setup.model.names().of(left);
        Err(Error::Msg(format!(
            "the loss has no gradient with respect to `{name}`: the run did not reach it before the loss was known"
        )))
    }

    fn differentiate<S: Selection>(
        &self,
        loss: &Tensor,
        slots: &Slots,
        reducers: &[Reducer<'_>],
        selection: &S,
        suspect: Option<u32>,
    ) -> Result<Gradients<S::Value>> {
        let loss = scalar(loss)?;
        let grads = loss.backward()?;
        let read = |what: Read| {
            let mut missing = Vec::new();
            let slots = read_planted(slots, what, &grads, reducers, &mut missing)?;
            // A visit that has no part in the loss is none that has to be read.
            selection.read(&Reader::new(&slots, &self.setup.model)).map_err(|error| match missing.first() {
                Some(&index) => self.no_gradient(index, suspect),
                None => error,
            })
        };
        Ok(Gradients { loss: loss.detach(), values: read(Read::Values)?, gradients: read(Read::Gradients)? })
    }

    fn no_gradient(&self, index: u32, suspect: Option<u32>) -> Error {
        let names = self.setup.model.names();
        let name = names.of(index);
        let suspect = suspect.map_or_else(String::new, |suspect| {
            format!(" (the first value off the autograd graph after others on it is `{}`)", names.of(suspect))
        });
        Error::Msg(format!(
            "the loss does not depend on `{name}`, or something between them drops gradients{suspect}; candle's `softmax_last_dim`, \
             `rope`, `sdpa` and others do so without a word: use those of `taper::ops`"
        ))
    }
}

/// A loss is one number.
fn scalar(loss: &Tensor) -> Result<Tensor> {
    if loss.elem_count() == 1 {
        return loss.reshape(());
    }
    let dims = loss.dims();
    Err(Error::Msg(format!("a loss is one number, and this is {dims:?}; reduce it, such as by `.sum_all()`")))
}
