//! Runs: a model with changes, from the start or from a recording.

mod attribution;
mod inputs;
mod job;
mod loss;
mod on;
mod plain;
mod recording;
mod setup;
mod sweep;
mod table;
mod values;
mod weights;

use std::fmt;
use std::ops::Deref;

pub use attribution::IntegratedGradients;
pub use inputs::{Argument, Comparable, Incomparable, Input, Seen};
pub use job::{Capture, Differentiate, Forward, Job, Record, Running, WithTaps};
pub use loss::{Gradients, Loss, LossSetup};
pub use on::{IntoArgs, LossOn, RunOn};
pub use plain::{capture, forward_with_taps, site_table};
pub use recording::Recording;
pub use setup::Setup;
pub use sweep::{Metric, Sweep};
pub use table::SweepTable;
pub use values::Values;
pub(crate) use weights::Fingerprint;

use crate::Result;
use crate::names::Describe;
use crate::pass::What;
use crate::select::{Selection, Targets};
use crate::tapped::Tapped;

/// A model that can be run with changes: `#[forward]` implements it.
pub trait Runnable: Tapped {
    /// The generated functions of a run, which take the arguments of `forward`.
    type Runner<S>: Runner<S>;
}

/// The generated functions of a run, with what they need.
pub trait Runner<S> {
    #[doc(hidden)]
    fn of(setup: S) -> Self;
    #[doc(hidden)]
    fn setup(&self) -> &S;
    #[doc(hidden)]
    fn setup_mut(&mut self) -> &mut S;
    #[doc(hidden)]
    fn into_setup(self) -> S;
}

/// One configured way of running a model: what `model.run()` and [`Recording::replay`] give.
///
/// Changes are made at selections; then the run is used as the model is: `forward`, `forward_with_taps`, `capture` and
/// `record` take the arguments of the model's own `forward`, as often as one likes and in any thread.
///
/// At each site a replacement comes first, then edits in the order in which they were made. A capture sees what flows on.
/// A submodule whose output is replaced does not run; the expression of a `#[tap]` that is replaced does, since it may do
/// other things, and what it gives is dropped. Nothing is skipped in a model with effects beside its values
/// (`#[model(stateful)]`, `&mut` arguments).
///
/// Edits and replacements stay on the autograd graph, so that `backward()` reaches the `Var`s that they came from.
///
/// ```
/// # use taper::{Model, forward, candle_core::{Device, DType, Result, Tensor}, candle_nn::{Linear, linear, VarBuilder, Module}};
/// # #[derive(Model)]
/// # pub struct Net {
/// #     #[load(linear(4, 4))]
/// #     pub first: Linear,
/// #     #[load(linear(4, 2))]
/// #     pub last: Linear,
/// # }
/// # #[forward]
/// # impl Net {
/// #     pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
/// #         self.last.forward(&self.first.forward(x)?.relu()?)
/// #     }
/// # }
/// # let net = Net::load(VarBuilder::zeros(DType::F32, &Device::Cpu))?;
/// # let x = Tensor::zeros((2, 4), DType::F32, &Device::Cpu)?;
/// let ablated = net.run().edit(|t| t.first, |h| h.zeros_like());
/// let y = ablated.forward(&x)?;
/// let (y, h) = ablated.capture(&x, |t| (t.output, t.first))?;
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// Of whatever runs it: those of `forward`; a site of another model; a change that the run did not reach; a value of
/// another shape, dtype or device than the one it takes the place of; a capture or change inside what is replaced.
#[must_use = "a run does nothing until it is used: `forward`, `capture`, `record`"]
pub struct Run<'m, 'e, M: Runnable + 'm> {
    runner: M::Runner<Setup<'m, 'e, M>>,
}

impl<'m, 'e, M: Runnable> Deref for Run<'m, 'e, M> {
    type Target = M::Runner<Setup<'m, 'e, M>>;

    fn deref(&self) -> &Self::Target {
        &self.runner
    }
}

impl<M: Runnable> fmt::Debug for Run<'_, '_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.setup(), f)
    }
}

/// The site that an edit is at: what [`Run::edit_at`] tells its function.
#[derive(Clone, Debug)]
pub struct EditedSite {
    name: String,
    position: usize,
    visits: Vec<u32>,
}

impl EditedSite {
    /// The name of the site, `blocks.3.attn.pattern`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its place among the sites of the selection, from 0.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Which visit it is of each loop around the site, counted from 0, outermost first; empty for a plain site.
    pub fn visits(&self) -> &[u32] {
        &self.visits
    }
}

/// A run of a model without changes so far.
pub fn run<M: Runnable>(model: &M) -> Run<'_, '_, M> {
    Run::of(Setup::new(model))
}

impl<'m, 'e, M: Runnable> Run<'m, 'e, M> {
    pub(crate) fn of(setup: Setup<'m, 'e, M>) -> Self {
        Run { runner: Runner::of(setup) }
    }

    pub(crate) fn setup(&self) -> &Setup<'m, 'e, M> {
        self.runner.setup()
    }

    pub(crate) fn with(mut self, f: impl FnOnce(&mut Setup<'m, 'e, M>)) -> Self {
        f(self.runner.setup_mut());
        self
    }

    /// Puts `f` of the value in place of the value, at every site of the selection.
    ///
    /// `f` gets what flows by, whatever shape it is of, and must give the same shape, dtype and device.
    pub fn edit<S: Targets>(
        self,
        select: impl FnOnce(M::Sites) -> S,
        f: impl Fn(&S::Item) -> Result<S::Item> + Send + Sync + 'e,
    ) -> Self {
        let edit = What::edit(f);
        self.with(|setup| setup.change(select, None, |_, _, _| edit.clone()))
    }

    /// As [`edit`](Self::edit), with one operand a site: `operands` has the shape of the selection.
    pub fn edit_with<S: Targets<Item: Send + Sync>>(
        self,
        select: impl FnOnce(M::Sites) -> S,
        operands: &S::Value,
        f: impl Fn(&S::Item, &S::Item) -> Result<S::Item> + Send + Sync + 'e,
    ) -> Self {
        let f = std::sync::Arc::new(f);
        self.with(|setup| {
            setup.change(select, Some(operands), |_, _, operand| {
                let (f, operand) = (f.clone(), operand.cloned());
                What::edit(move |value| match &operand {
                    Some(operand) => f(value, operand),
                    None => Ok(value.clone()),
                })
            });
        })
    }

    /// As [`edit`](Self::edit), the function being told at which site it is, and in which visit.
    pub fn edit_at<S: Targets>(
        self,
        select: impl FnOnce(M::Sites) -> S,
        f: impl Fn(&EditedSite, &S::Item) -> Result<S::Item> + Send + Sync + 'e,
    ) -> Self {
        let f = std::sync::Arc::new(f);
        self.with(|setup| {
            let names = setup.model.names();
            setup.change(select, None, |position, index, _| {
                let (f, name, loops) = (f.clone(), names.of(index), names.loops_around(index));
                What::edit_in(move |value, visits: &[(u32, u32)]| {
                    let visits = visits.iter().filter(|(node, _)| loops.contains(node)).map(|(_, visit)| *visit);
                    f(&EditedSite { name: name.clone(), position, visits: visits.collect() }, value)
                })
            });
        })
    }

    /// Puts a known value in place of the value: `values` has the shape of the selection.
    ///
    /// A submodule whose output is replaced is not run at all; a second replacement at a site takes the place of the first.
    pub fn replace<S: Targets<Item: Send + Sync>>(self, select: impl FnOnce(M::Sites) -> S, values: &S::Value) -> Self {
        self.with(|setup| {
            setup.change(select, Some(values), |_, _, value| match value {
                Some(value) => What::replace(value),
                // Of what the model has not: it is never reached.
                None => What::edit(|value: &S::Item| Ok(value.clone())),
            });
        })
    }

    /// Lets a run pass by the sites of the change before this: those in branches that it does not take.
    pub fn if_reached(self) -> Self {
        self.with(Setup::allow_unreached)
    }

    /// What [`record`](Recording) keeps: the values of the selection only. What is not kept is computed again in a replay.
    pub fn keeping<S: Selection>(self, select: impl FnOnce(M::Sites) -> S) -> Self {
        self.with(|setup| setup.keep_only(select))
    }

    /// A number to differentiate: `f` of the values of the selection, with one element. The run stops once they are known.
    pub fn loss<S, F>(self, of: impl FnOnce(M::Sites) -> S, f: F) -> Loss<'m, 'e, M>
    where
        S: Selection + Send + Sync + 'e,
        F: Fn(&S::Value) -> Result<candle_core::Tensor> + Send + Sync + 'e,
    {
        Loss::of(self.runner.into_setup(), of, f)
    }
}
