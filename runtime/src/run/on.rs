//! Runs in general: the arguments of any model as a tuple.

use super::inputs::Inputs;
use super::setup::Setup;
use super::{Gradients, Loss, Recording, Run, Runnable};
use crate::model::Model;
use crate::select::Selection;
use crate::tapped::{Stateless, Tapped};

/// The arguments of a model as a tuple, or the one argument that it has.
///
/// What runs a model several times takes it: `&ids` for a model of one argument, `(&x, &mask)` for one of two.
#[diagnostic::on_unimplemented(
    message = "these are not the arguments of the model",
    label = "this is a `{Self}`, and the model takes `{A}`",
    note = "what runs a model several times takes its arguments as one value: `&x` for a model of one, a tuple `(&x, &mask)` for others"
)]
pub trait IntoArgs<A> {
    /// The tuple.
    fn into_args(self) -> A;
}

impl<A> IntoArgs<A> for A {
    fn into_args(self) -> A {
        self
    }
}

impl<T> IntoArgs<(T,)> for T {
    fn into_args(self) -> (T,) {
        (self,)
    }
}

/// A run with its arguments, for code that is generic over models: what [`Run::on`] gives.
#[derive(Debug)]
pub struct RunOn<'r, 'm, 'e, A, M: Tapped> {
    setup: &'r Setup<'m, 'e, M>,
    args: A,
}

impl<'m, 'e, M: Model> Run<'m, 'e, M> {
    /// The run on arguments that are given as a tuple, or as the one argument that the model has: for code that is generic
    /// over models.
    ///
    /// ```
    /// # use taper::{Model, candle_core::Tensor};
    /// fn without<M>(model: &M, name: &str, x: &Tensor) -> Result<M::Output, M::Error>
    /// where
    ///     M: for<'a> Model<Args<'a> = (&'a Tensor,)>,
    /// {
    ///     let sites = Model::sites(model);
    ///     Model::run(model).edit(|_| sites.find(name), |value| value.zeros_like()).on((x,)).forward()
    /// }
    /// ```
    pub fn on<'r, 'a>(&'r self, args: impl IntoArgs<M::Args<'a>>) -> RunOn<'r, 'm, 'e, M::Args<'a>, M> {
        RunOn { setup: self.setup(), args: args.into_args() }
    }
}

impl<'r, 'm, 'e, A, M: Tapped> RunOn<'r, 'm, 'e, A, M> {
    pub(crate) fn of(setup: &'r Setup<'m, 'e, M>, args: A) -> Self {
        RunOn { setup, args }
    }
}

impl<'m, 'e, M: Model> Run<'m, 'e, M> {
    pub(crate) fn on_args<'r, 'a>(&'r self, args: M::Args<'a>) -> RunOn<'r, 'm, 'e, M::Args<'a>, M> {
        RunOn::of(self.setup(), args)
    }
}

/// A loss with the arguments of its run, for code that is generic over models: what [`Loss::on`] gives.
#[derive(Debug)]
pub struct LossOn<'r, 'm, 'e, A, M: Runnable> {
    loss: &'r Loss<'m, 'e, M>,
    args: A,
}

impl<'m, 'e, M: Model> Loss<'m, 'e, M> {
    /// The loss of a run on arguments that are given as a tuple, or as the one argument that the model has: for code that is
    /// generic over models.
    ///
    /// ```
    /// # use taper::{Model, candle_core::{Error, Result, Tensor}};
    /// fn saliency<M>(model: &M, name: &str, x: &Tensor) -> Result<Tensor>
    /// where
    ///     M: for<'a> Model<Args<'a> = (&'a Tensor,), Output = Tensor, Error = Error>,
    /// {
    ///     let sites = Model::sites(model);
    ///     let loss = Model::run(model).loss(|_| sites.find("output"), |y| y.sqr()?.sum_all());
    ///     Ok(loss.on(x).gradients(|_| sites.find(name))?.gradients)
    /// }
    /// ```
    pub fn on<'r, 'a>(&'r self, args: impl IntoArgs<M::Args<'a>>) -> LossOn<'r, 'm, 'e, M::Args<'a>, M> {
        self.on_args(args.into_args())
    }

    pub(crate) fn on_args<'r, 'a>(&'r self, args: M::Args<'a>) -> LossOn<'r, 'm, 'e, M::Args<'a>, M> {
        LossOn { loss: self, args }
    }
}

impl<M: Model> LossOn<'_, '_, '_, M::Args<'_>, M> {
    /// The loss, and the values and gradients of what the closure selects, in the shape in which it is selected.
    ///
    /// # Errors
    /// Those of the model, of the changes and of the loss, and a gradient that is lost on the way.
    pub fn gradients<S: Selection>(self, select: impl FnOnce(M::Sites) -> S) -> Result<Gradients<S::Value>, M::Error> {
        let setup = self.loss.setup();
        let (inputs, model) = (setup.inputs(|| M::__taper_seen(&self.args)), setup.model());
        setup.gradients(inputs, select, |at| model.__taper_call(self.args, at))
    }
}

impl<'m, 'e, M: Model> RunOn<'_, 'm, 'e, M::Args<'_>, M> {
    fn inputs(&self) -> Inputs {
        self.setup.inputs(|| M::__taper_seen(&self.args))
    }

    /// What the model returns.
    ///
    /// # Errors
    /// Those of the model, and of the changes.
    pub fn forward(self) -> Result<M::Output, M::Error> {
        let (inputs, model) = (self.inputs(), self.setup.model());
        self.setup.forward(inputs, |at| model.__taper_call(self.args, at))
    }

    /// What the model returns, and every value on the way there.
    ///
    /// # Errors
    /// Those of the model, and of the changes.
    pub fn forward_with_taps(self) -> Result<(M::Output, M::Taps), M::Error> {
        let (inputs, model) = (self.inputs(), self.setup.model());
        self.setup.forward_with_taps(inputs, |at| model.__taper_call(self.args, at))
    }

    /// What the closure selects, detached from the autograd graph.
    ///
    /// # Errors
    /// Those of the model, of the changes, and of a selection that does not fit the model.
    pub fn capture<S: Selection>(self, select: impl FnOnce(M::Sites) -> S) -> Result<S::Value, M::Error> {
        let (inputs, model) = (self.inputs(), self.setup.model());
        self.setup.capture(false, inputs, select, |at| model.__taper_call(self.args, at))
    }

    /// The same, the run not stopping before its end.
    pub(crate) fn capture_to_the_end<S: Selection>(
        self,
        select: impl FnOnce(M::Sites) -> S,
    ) -> Result<S::Value, M::Error> {
        let (inputs, model) = (self.inputs(), self.setup.model());
        self.setup.capture_to_the_end(inputs, select, |at| model.__taper_call(self.args, at))
    }

    /// Runs the model and keeps every value, so that later runs can start from them.
    ///
    /// # Errors
    /// Those of the model, and of the changes.
    pub fn record(self) -> Result<Recording<'m, 'e, M>, M::Error>
    where
        for<'x> M: Stateless<'x>,
    {
        self.record_if_stateless()
    }

    /// The same where only the values tell whether the model is stateless.
    pub(crate) fn record_if_stateless(self) -> Result<Recording<'m, 'e, M>, M::Error> {
        let inputs = self.setup.inputs_to_record(|| M::__taper_seen(&self.args));
        let model = self.setup.model();
        self.setup.record(inputs, |at| model.__taper_call(self.args, at))
    }
}
