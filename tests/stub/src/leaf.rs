//! One leaf.

use crate::pass::At;
use crate::site::{Builder, Site};
use crate::tapped::{Layer, Tapped};
use crate::{Linear, Module, Result, Tensor};

pub trait IsLeaf {}

impl IsLeaf for Linear {}
impl<M: IsLeaf + ?Sized> IsLeaf for &M {}

pub fn leaf<M: IsLeaf + ?Sized>(module: &M) -> &M {
    module
}

impl Tapped for Linear {
    type Taps = Tensor;
    type Sites = Site<Tensor>;

    fn __taper_sites(&self, b: &mut Builder) -> Self::Sites {
        b.site()
    }
}

impl crate::tapped::Stateless<'_> for Linear {}

impl Layer for Linear {
    fn __taper_forward(&self, x: &Tensor, _at: At<'_, '_, '_, Site<Tensor>>) -> Result<Tensor> {
        self.forward(x)
    }
}

pub type StepSites<R> = Site<R>;
pub type SeqSites<R> = Site<Vec<R>>;
pub type StepTaps<R> = R;
pub type SeqTaps<R> = Vec<R>;

pub trait Recurrent {}
pub trait TrainLeaf {}
pub trait DropoutLeaf {}
