//! A model that checks itself: one call in a test finds what would make its taps, edits or gradients wrong.
//!
//! ```
//! # use taper::{Model, forward, candle_core::{Device, DType, Result, Tensor}, candle_nn::{Linear, linear, VarBuilder, VarMap, Module}};
//! # #[derive(Model)]
//! # pub struct Net {
//! #     #[load(linear(4, 4))]
//! #     pub first: Linear,
//! #     #[load(linear(4, 2))]
//! #     pub last: Linear,
//! # }
//! # #[forward]
//! # impl Net {
//! #     pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
//! #         self.last.forward(&self.first.forward(x)?.tanh()?)
//! #     }
//! # }
//! # let vars = VarMap::new();
//! # let net = Net::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu))?;
//! # let x = Tensor::randn(0f32, 1., (2, 4), &Device::Cpu)?;
//! let report = taper::check(&net, &x)?;
//! println!("{report}");
//! # Ok::<(), taper::candle_core::Error>(())
//! ```

mod compare;
mod gradient;
mod report;
mod tap;

use std::any::Any;

use compare::Bits;
pub use report::{Finding, Report, Verdict};

use crate::error::candle_error;
use crate::model::Model;
use crate::names::{NamedSite, SiteTable};
use crate::run::{IntoArgs, Recording, Run, run};
use crate::tapped::Tapped;
use crate::{Error, Result};

/// Checks a model on the given inputs; what is checked is said at [`Check`].
///
/// The arguments are given as a tuple, or as the one argument that the model has.
///
/// # Errors
/// The report, if anything is wrong; the error of a run that failed.
pub fn check<'a, M>(model: &M, args: impl IntoArgs<M::Args<'a>>) -> Result<Report>
where
    M: Model,
    M::Args<'a>: Clone,
{
    Check::of(model).run(args)
}

/// A check to be made, tap by tap:
///
/// | column | what holds if it passes |
/// |---|---|
/// | `kept` | what is captured was not overwritten later in the pass, as in-place caches do |
/// | `stop` | a run that stops at the tap gives the value of the full run, bit for bit |
/// | `back` | the value put in its own place changes no bit of the output |
/// | `effect` | random noise added to it reaches the output |
/// | `before` | nothing that was produced before changes with it |
/// | `replay` | a replay with the noise gives what a run from the start gives, bit for bit |
/// | `gradient` | the gradient agrees with finite differences |
///
/// Beside these: the output is bit for bit the same with and without taps, and in a second run.
///
/// `–` is what these inputs can't tell: a tap that they do not reach, numbers that are no floating-point ones, a model with
/// effects (nothing of it can be recorded), a difference that is lost in rounding.
#[derive(Debug)]
pub struct Check<'m, M> {
    model: &'m M,
    seed: u64,
    gradients: bool,
    without_effect: Vec<String>,
    without_gradient: Vec<String>,
}

impl<'m, M: Model> Check<'m, M> {
    /// A check of this model.
    pub fn of(model: &'m M) -> Self {
        Check { model, seed: 0, gradients: true, without_effect: Vec::new(), without_gradient: Vec::new() }
    }

    /// Other random noise.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Check { seed, ..self }
    }

    /// Leaves out the gradients: the model is not meant to be differentiated.
    #[must_use]
    pub fn without_gradients(self) -> Self {
        Check { gradients: false, ..self }
    }

    /// A tap, by its name, that is not meant to reach the output.
    #[must_use]
    pub fn without_effect(mut self, name: &str) -> Self {
        self.without_effect.push(name.to_owned());
        self
    }

    /// A tap, by its name, whose effect is not meant to be differentiable: what is decided by it, such as whether to go on.
    #[must_use]
    pub fn without_gradient(mut self, name: &str) -> Self {
        self.without_gradient.push(name.to_owned());
        self
    }

    /// Runs the checks on these arguments: a tuple, or the one argument that the model has.
    ///
    /// # Errors
    /// The report, if anything is wrong; the error of a run that failed.
    pub fn run<'a>(&self, args: impl IntoArgs<M::Args<'a>>) -> Result<Report>
    where
        M::Args<'a>: Clone,
    {
        let args = args.into_args();
        self.run_with(&mut |call| call(args.clone()))
    }

    /// Runs the checks on arguments that can't be given twice, such as `&mut` caches: `with` makes new ones and calls its
    /// argument with them.
    ///
    /// ```
    /// # use taper::{Model, forward, candle_core::{DType, Device, Result, Tensor}, candle_nn::{Linear, linear, VarBuilder, VarMap, Module}};
    /// # #[derive(Model)]
    /// # pub struct Net {
    /// #     #[load(linear(4, 4))]
    /// #     pub first: Linear,
    /// # }
    /// #[forward]
    /// impl Net {
    ///     pub fn forward(&self, x: &Tensor, cache: &mut Vec<Tensor>) -> Result<Tensor> {
    ///         cache.push(self.first.forward(x)?);
    ///         Tensor::stack(cache, 0)?.sum(0)
    ///     }
    /// }
    /// # let vars = VarMap::new();
    /// # let net = Net::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu))?;
    /// # let x = Tensor::randn(0f32, 1., (2, 4), &Device::Cpu)?;
    /// taper::Check::of(&net).run_with(&mut |call| call((&x, &mut Vec::new())))?;
    /// # Ok::<(), taper::candle_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// The report, if anything is wrong; the error of a run that failed.
    pub fn run_with<'w>(&self, with: With<'w, M>) -> Result<Report>
    where
        M: 'w,
    {
        let sites = SiteTable::of(self.model);
        for name in self.without_effect.iter().chain(&self.without_gradient) {
            sites.find_any(name)?;
        }
        let mut checked = Checked { check: self, with };
        let report = checked.report(&sites)?;
        match report.is_sound() {
            true => Ok(report),
            // Without the backtrace that `wrap` would add: the report is for people.
            false => Err(Error::Wrapped(Box::new(report))),
        }
    }
}

/// What makes arguments, and calls its own argument with them.
pub type With<'w, M> = &'w mut dyn FnMut(&mut dyn for<'a> FnMut(<M as Model>::Args<'a>));

/// The model with the inputs that it is checked on.
struct Checked<'c, 'm, M: Model> {
    check: &'c Check<'m, M>,
    with: With<'c, M>,
}

/// What the full run gives, which others are compared with.
struct Full<'m, M: Tapped> {
    output: Bits,
    /// The values of each tap, one a visit.
    taps: Vec<Vec<Bits>>,
    /// `None` for a model with effects.
    recording: Option<Recording<'m, 'm, M>>,
}

impl<'m, M: Model> Checked<'_, 'm, M> {
    /// Something done with the arguments.
    fn once<R>(&mut self, f: impl for<'a> FnOnce(M::Args<'a>) -> std::result::Result<R, M::Error>) -> Result<R> {
        let (mut f, mut done) = (Some(f), None);
        (self.with)(&mut |args| {
            if let Some(f) = f.take() {
                done = Some(f(args));
            }
        });
        match done {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(candle_error(error)),
            None => Err(Error::Msg("the arguments were not given: call what `run_with` hands over".to_owned())),
        }
    }

    /// The output of a changed run.
    fn output(&mut self, run: &Run<'_, '_, M>) -> Result<Bits> {
        let output = self.once(|args| run.on_args(args).forward())?;
        Ok(Bits::of(&output as &dyn Any))
    }

    fn report(&mut self, sites: &SiteTable<M::Sites>) -> Result<Report> {
        let model = self.check.model;
        let named: Vec<NamedSite> = sites.iter().collect();
        let tensors: Vec<&NamedSite> = named.iter().filter(|named| named.is_tensor().is_ok()).collect();
        let plain = self.once(|args| model.__taper_plain(args))?;
        let plain = Bits::of(&plain as &dyn Any);
        let full = self.full(&tensors)?;
        let mut report = Report::of(model);
        if !plain.same(&full.output) {
            report.wrong("the output with taps is not the output without: an operation whose result depends on who calls it, or randomness (mark the model `#[model(stateful)]`)");
        }
        let again = self.output(&run(model))?;
        if !again.same(&full.output) {
            report.wrong("two runs on the same inputs differ: the model keeps something between runs, or draws random numbers (mark it `#[model(stateful)]`), or `run_with` does not make its arguments anew");
        }
        if plain.is_unknown() {
            report.note("the output is of a type of its own, so that nothing is compared with it: return tensors, tuples or `Vec`s of them to have it checked");
        }
        let gradients = self.gradients(&tensors, &full, &mut report);
        let kept = self.overwritten(&tensors)?;
        for (place, named) in tensors.iter().enumerate() {
            let mut finding = Finding::of(named.name());
            self.look_at(named, place, &full, &mut finding)?;
            finding.kept = kept[place].clone();
            match &gradients {
                // What does not reach the output has no gradient to compare.
                Some(gradients)
                    if finding.effect == Verdict::Holds
                        && !self.check.without_gradient.iter().any(|name| name == named.name()) =>
                {
                    finding.gradient = self.compare_gradient(named, place, &gradients[place], &full)?;
                }
                _ => {}
            }
            report.add(finding);
        }
        for named in named.iter().filter(|named| named.is_tensor().is_err()) {
            report.note(&format!("`{}` is a `{}`, which is not checked", named.name(), named.type_name()));
        }
        Ok(report)
    }

    fn full(&mut self, tensors: &[&NamedSite]) -> Result<Full<'m, M>> {
        let model = self.check.model;
        let selection: Vec<NamedSite> = tensors.iter().map(|named| (*named).clone()).collect();
        let plain = run(model);
        let values = self.once(|args| plain.on_args(args).capture(|_| selection))?;
        let taps = values.iter().map(|visits| visits.iter().map(|v| Bits::of(v)).collect()).collect();
        let output = self.output(&plain)?;
        let recording = match M::STATEFUL {
            true => None,
            // A layer that behaves as in training says so when it is recorded.
            false => self.once(|args| run(model).on_args(args).record_if_stateless()).ok(),
        };
        Ok(Full { output, taps, recording })
    }
}
