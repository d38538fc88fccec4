//! Addresses of taps: what a selection is made of.
//!
//! A model's sites have the shape of the model: [`Site`] is one value of straight-line code, [`Each`] the elements of a
//! `Vec` field, [`Maybe`] what a run may skip, [`Visits`] what a run may produce any number of times.

mod build;
mod each;
mod framed;
mod maybe;
mod tree;
mod visits;

use std::any::{Any, type_name};
use std::fmt;
use std::marker::PhantomData;

pub use build::{Builder, Layout, TapSites};
pub use each::{Each, Elements};
pub use framed::{Around, Framed, Visited};
pub use maybe::{Maybe, MaybeSelection};
pub use tree::{Span, Tree};
pub use visits::{Visit, VisitSelection, Visits, VisitsSelection};

use crate::Result;
use crate::pass::Reader;
use crate::select::Aims;
use crate::taps::Visitor;

/// The address of one value of a run: a tap in straight-line code.
///
/// It is an index into the run's values and the fingerprint of the model that it belongs to: using it on a model with
/// other layers is an error. Copying one is free.
///
/// ```
/// # use taper::{Model, forward, candle_core::{Device, DType, Result, Tensor}, candle_nn::{Linear, linear, VarBuilder, Module}};
/// #[derive(Model)]
/// pub struct Net {
///     #[load(linear(4, 4))]
///     pub first: Linear,
/// }
/// #[forward]
/// impl Net {
///     pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
///         self.first.forward(x)?.relu()
///     }
/// }
/// let net = Net::load(VarBuilder::zeros(DType::F32, &Device::Cpu))?;
/// let x = Tensor::zeros((2, 4), DType::F32, &Device::Cpu)?;
/// let mean = net.capture(&x, |t| t.first.map(|h| h.mean_all()))?;
/// assert_eq!(mean.to_scalar::<f32>()?, 0.);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub struct Site<T> {
    pub(crate) index: u32,
    pub(crate) tree: u64,
    value: PhantomData<fn() -> T>,
}

/// The tree of a site that stands for an element beyond the end of an [`Each`].
pub(crate) const BEYOND: u64 = u64::MAX;

impl<T> Site<T> {
    pub(crate) fn new(index: u32, tree: u64) -> Self {
        Site { index, tree, value: PhantomData }
    }
}

impl<T: 'static> Site<T> {
    /// Reduces the value as it is captured, so that the whole of it is not kept.
    ///
    /// What `f` returns is copied if it is a view of a larger buffer: nothing big is held by something small.
    pub fn map<U: Clone + 'static, F: Fn(&T) -> Result<U>>(self, f: F) -> crate::select::Map<T, F> {
        crate::select::Map::new(self, f)
    }
}

impl<T> Clone for Site<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Site<T> {}

impl<T> PartialEq for Site<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.index, self.tree) == (other.index, other.tree)
    }
}

impl<T> Eq for Site<T> {}

impl<T> fmt::Debug for Site<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = type_name::<T>();
        write!(f, "Site<{}>(#{})", name.rsplit("::").next().unwrap_or(name), self.index)
    }
}

impl<T: Clone + 'static> Tree for Site<T> {
    type Value = T;
    type Item = T;

    fn aim<'v>(&self, value: Option<&'v T>, aims: &mut Aims<'v, T>) {
        aims.site(self.span(), value);
    }

    fn span(&self) -> Span {
        Span { first: self.index, end: self.index + 1, tree: self.tree }
    }

    fn read_taps(&self, reader: &Reader<'_>) -> Result<T> {
        reader.value(self.index)
    }

    fn visit(value: &T, visitor: &mut Visitor<'_>) {
        visitor.value(value as &dyn Any, type_name::<T>());
    }
}
