//! Leaves that behave otherwise in training: they are candle's `ModuleT` only.

use candle_core::{ModuleT, Result, Tensor};
use candle_nn::{BatchNorm, Dropout, FuncT};

use super::info::LeafInfo;
use super::{IsLeaf, call, tapped_leaf};
use crate::layers;
use crate::pass::At;
use crate::site::{Builder, Site};
use crate::tapped::Tapped;

tapped_leaf! {
    [] BatchNorm: Tensor;
    [] layers::BatchNorm: Tensor;
    [] Dropout: Tensor;
    ['a] FuncT<'a>: Tensor;
}

/// `forward_t` of the leaves that are no `Module`.
#[allow(private_bounds, reason = "implemented here only")]
pub trait TrainLeaf: ModuleT + LeafInfo + Tapped<Sites = Site<Tensor>> {
    #[doc(hidden)]
    fn __taper_forward_t(&self, x: &Tensor, train: bool, at: At<'_, '_, '_, Site<Tensor>>) -> Result<Tensor> {
        call(self, x, at, || self.forward_t(x, train))
    }
}

impl TrainLeaf for Dropout {
    fn __taper_forward_t(&self, x: &Tensor, train: bool, at: At<'_, '_, '_, Site<Tensor>>) -> Result<Tensor> {
        if train {
            // What it drops is drawn anew in every run.
            at.pass.touch_randomness(at.sites.index, "Dropout");
        }
        call(self, x, at, || self.forward_t(x, train))
    }
}

impl TrainLeaf for FuncT<'_> {}

macro_rules! batch_norms {
    ($($leaf:ty)+) => {$(
        impl TrainLeaf for $leaf {
            fn __taper_forward_t(&self, x: &Tensor, train: bool, at: At<'_, '_, '_, Site<Tensor>>) -> Result<Tensor> {
                if train {
                    // It moves its running statistics, and those of the layers after it have to keep up.
                    at.pass.touch_state(at.sites.index, "BatchNorm");
                    if at.pass.is_over() {
                        // Refused: then the statistics stay as they are.
                        return at.pass.halt();
                    }
                }
                call(self, x, at, || self.forward_t(x, train))
            }
        }
    )+};
}

batch_norms! {
    BatchNorm
    layers::BatchNorm
}

/// The inherent forwards of `Dropout` and `BatchNorm`.
pub trait DropoutLeaf {
    #[doc(hidden)]
    fn __taper_forward(&self, x: &Tensor, train: bool, at: At<'_, '_, '_, Site<Tensor>>) -> Result<Tensor>;
}

impl DropoutLeaf for Dropout {
    fn __taper_forward(&self, x: &Tensor, train: bool, at: At<'_, '_, '_, Site<Tensor>>) -> Result<Tensor> {
        self.__taper_forward_t(x, train, at)
    }
}
