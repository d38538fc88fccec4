//! Models in general, for code that is generic over them.

use crate::Error;
use crate::names::SiteTable;
use crate::pass::At;
use crate::run::{self, Run, Runnable, Seen};
use crate::select::Selection;

/// A model, for code that is generic over models: its functions take the arguments of `forward` as a tuple.
///
/// `#[forward]` implements it, unless `forward` has type parameters or `impl Trait` arguments, which no tuple can name.
///
/// ```
/// # use taper::{Model, forward, candle_core::{Device, DType, Result, Tensor}, candle_nn::{Linear, linear, VarBuilder, Module}};
/// # #[derive(Model)]
/// # pub struct Net {
/// #     #[load(linear(4, 4))]
/// #     pub first: Linear,
/// # }
/// # #[forward]
/// # impl Net {
/// #     pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
/// #         self.first.forward(x)?.relu()
/// #     }
/// # }
/// fn count<M: Model>(model: &M) -> usize {
///     model.sites().len()
/// }
/// let net = Net::load(VarBuilder::zeros(DType::F32, &Device::Cpu))?;
/// assert_eq!(count(&net), 2);
/// let x = Tensor::zeros((2, 4), DType::F32, &Device::Cpu)?;
/// let (_, taps) = Model::forward_with_taps(&net, (&x,))?;
/// assert_eq!(taps.first.dims(), [2, 4]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub trait Model: Runnable + Sized {
    /// The arguments of `forward`.
    type Args<'a>;
    /// What `forward` returns if it does not fail.
    type Output: 'static;
    /// What it fails with.
    type Error: From<Error> + 'static;

    #[doc(hidden)]
    fn __taper_call(&self, args: Self::Args<'_>, at: At<'_, '_, '_, Self::Sites>) -> Result<Self::Output, Self::Error>;

    #[doc(hidden)]
    fn __taper_plain(&self, args: Self::Args<'_>) -> Result<Self::Output, Self::Error>;

    #[doc(hidden)]
    fn __taper_seen(args: &Self::Args<'_>) -> Vec<(&'static str, Seen)>;

    /// The output and every tap.
    ///
    /// # Errors
    /// Those of `forward`.
    fn forward_with_taps(&self, args: Self::Args<'_>) -> Result<(Self::Output, Self::Taps), Self::Error> {
        run::forward_with_taps(self, |at| self.__taper_call(args, at))
    }

    /// What is selected, detached from the autograd graph. The run stops once all of it is known.
    ///
    /// # Errors
    /// Those of `forward`, and of a selection that does not fit the model.
    fn capture<S: Selection>(
        &self,
        args: Self::Args<'_>,
        select: impl FnOnce(Self::Sites) -> S,
    ) -> Result<S::Value, Self::Error> {
        run::capture(self, false, select, |at| self.__taper_call(args, at))
    }

    /// A run of the model, to be changed; [`Run::on`](crate::Run::on) gives it arguments as a tuple.
    fn run(&self) -> Run<'_, '_, Self> {
        run::run(self)
    }

    /// The names and sites of every tap.
    fn sites(&self) -> SiteTable<Self::Sites> {
        SiteTable::of(self)
    }
}
