//! Leaves: layers whose inside has no taps. All of candle-nn's, and those of [`layers`].

mod conv;
mod info;
mod norm;
mod recurrent;
mod train;

use candle_core::quantized::QMatMul;
use candle_core::{Module, Result, Tensor};
use candle_nn::ops::Identity;
use candle_nn::{
    Activation, Conv1d, ConvTranspose1d, ConvTranspose2d, Embedding, Func, GroupNorm, Linear, PReLU, Sequential,
};

pub use recurrent::{Recurrent, SeqSites, SeqTaps, StepSites, StepTaps};
pub use train::{DropoutLeaf, TrainLeaf};

pub(crate) use info::LeafInfo;

use crate::layers;
use crate::pass::At;
use crate::site::{Builder, Site};
use crate::tapped::{Layer, Tapped};

/// A layer whose inside has no taps, so that its other methods (`weight()`, `embeddings()`) hide nothing.
#[diagnostic::on_unimplemented(
    message = "a method of the model `{Self}` that is not traced: only `forward` and `forward_t` of a submodule have taps",
    label = "what this call computes would have no taps",
    note = "call its `forward`, or write `#[untapped]` on the statement if nothing in it is to be tapped"
)]
pub trait IsLeaf {}

impl<M: IsLeaf + ?Sized> IsLeaf for &M {}
impl<M: IsLeaf + ?Sized> IsLeaf for Box<M> {}
impl<M: IsLeaf + ?Sized> IsLeaf for std::sync::Arc<M> {}
impl<M: IsLeaf + ?Sized> IsLeaf for std::rc::Rc<M> {}

/// A leaf's own method may be called on it; a model's may not.
pub fn leaf<M: IsLeaf + ?Sized>(module: &M) -> &M {
    module
}

/// Calls a leaf on `x` and gives its output to the pass.
pub(crate) fn call<L: LeafInfo + ?Sized, T: Clone + 'static>(
    leaf: &L,
    x: &Tensor,
    at: At<'_, '_, '_, Site<T>>,
    f: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let At { sites, pass } = at;
    let result = match pass.supplied(sites) {
        // What is put in place of the output of a layer that does not run is of the shape that it would have.
        Some(value) => fits(leaf, x, value),
        None => f().and_then(|value| pass.keeps_gradient(x, value)),
    };
    match result {
        Ok(value) => pass.output(sites, Ok(value)),
        Err(error) => Err(pass.name_layer(sites.index, &leaf.shown(), Some(x.dims()), error)),
    }
}

fn fits<L: LeafInfo + ?Sized, T: Clone + 'static>(leaf: &L, x: &Tensor, value: T) -> Result<T> {
    let dims = (&value as &dyn std::any::Any).downcast_ref::<Tensor>().map(Tensor::dims);
    match (dims, leaf.gives(x)) {
        (Some(dims), Some(gives)) if dims != gives => Err(crate::Error::Msg(format!(
            "the value put in is {dims:?}, and the layer gives {gives:?}; a change keeps shape, dtype and device"
        ))),
        _ => Ok(value),
    }
}

macro_rules! tapped_leaf {
    ($([$($generics:tt)*] $leaf:ty: $value:ty;)*) => {$(
        impl<$($generics)*> Tapped for $leaf {
            type Taps = $value;
            type Sites = Site<$value>;

            fn __taper_sites(&self, b: &mut Builder) -> Self::Sites {
                b.holds(|| $crate::leaf::LeafInfo::weights(self));
                b.site()
            }
        }

        impl<$($generics)*> IsLeaf for $leaf {}

        impl<'__run, $($generics)*> $crate::tapped::Stateless<'__run> for $leaf {}
    )*};
}
pub(crate) use tapped_leaf;

macro_rules! modules {
    ($([$($generics:tt)*] $leaf:ty;)*) => {$(
        tapped_leaf!([$($generics)*] $leaf: Tensor;);

        impl<$($generics)*> Layer for $leaf {
            fn __taper_forward(&self, x: &Tensor, at: At<'_, '_, '_, Site<Tensor>>) -> Result<Tensor> {
                call(self, x, at, || self.forward(x))
            }
        }
    )*};
}

modules! {
    [] Linear;
    [] Conv1d;
    [] ConvTranspose1d;
    [] ConvTranspose2d;
    [] Embedding;
    [] GroupNorm;
    [] Activation;
    [] PReLU;
    [] Identity;
    [] Sequential;
    ['a] Func<'a>;
    [] QMatMul;
    [] layers::Linear;
    [] layers::Conv2d;
    [] layers::LayerNorm;
    [] layers::RmsNorm;
    ['a] dyn Module + 'a;
    ['a] dyn Module + Send + 'a;
    ['a] dyn Module + Send + Sync + 'a;
}
