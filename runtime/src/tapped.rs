//! What has taps, and how the containers of it pass them on.

use std::rc::Rc;
use std::sync::Arc;

use candle_core::{Module, Result, Tensor};

use crate::pass::{At, Frame};
use crate::site::{Builder, Each, Elements, Maybe, Tree};

/// A layer with sites and taps: every model, every leaf, and `Vec`, arrays, `Option`, `Box`, `Arc`, `Rc` and references
/// of them.
///
/// `#[derive(Model)]` with `#[forward]` implements it. A type of another crate is tapped as a whole by `#[model(leaf)]`
/// on the field that holds it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no taps",
    label = "this is not a layer that taper knows",
    note = "a model needs `#[derive(Model)]` on the struct and `#[forward]` on the impl of its `forward`; for a foreign layer write `#[model(leaf)]` on the field, for plain data `#[load(value = …)]`, and `#[model(untapped)]` for what is not to be looked at"
)]
pub trait Tapped {
    /// The values: `Tensor` for a leaf, the generated `…Taps` for a model.
    type Taps: Clone;
    /// The addresses: `Site<Tensor>` for a leaf, the generated `…Sites` for a model.
    type Sites: Tree<Value = Self::Taps>;

    /// Whether a run has effects beside its values.
    #[doc(hidden)]
    const STATEFUL: bool = false;

    #[doc(hidden)]
    fn __taper_sites(&self, b: &mut Builder) -> Self::Sites;

    /// Where the layer stands in memory.
    #[doc(hidden)]
    fn __taper_addr(&self) -> usize {
        std::ptr::from_ref(self).cast::<()>().addr()
    }

    /// Whether the layer holds what stands there.
    #[doc(hidden)]
    fn __taper_holds(&self, addr: usize) -> bool {
        let start = std::ptr::from_ref(self).cast::<()>().addr();
        (start..start + size_of_val(self).max(1)).contains(&addr)
    }
}

/// A layer of one tensor: what generic models write, `struct Residual<M: Layer> { inner: M }`.
///
/// Implemented for every leaf and every derived model whose `forward` is `&Tensor` to `candle_core::Result<Tensor>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer of one tensor",
    note = "a `Layer` is a candle `Module` with taps: a layer of candle-nn, or a derived model whose `forward` takes one `&Tensor` and returns `candle_core::Result<Tensor>`"
)]
pub trait Layer: Module + Tapped {
    #[doc(hidden)]
    fn __taper_forward(&self, x: &Tensor, at: At<'_, '_, '_, Self::Sites>) -> Result<Tensor>;

    #[doc(hidden)]
    fn __taper_forward_t(&self, x: &Tensor, _train: bool, at: At<'_, '_, '_, Self::Sites>) -> Result<Tensor> {
        self.__taper_forward(x, at)
    }
}

/// A layer whose runs have no effects beside their values, so that a run can be recorded.
///
/// It is implemented for what no `&mut` argument and no `#[model(stateful)]` rules out. Code that is generic over models and
/// records them asks for it as `M: Model + for<'a> Stateless<'a>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has effects beside its values, so that a run of it can't be recorded",
    label = "this model, or a layer in it, has a `&mut` argument or is marked `#[model(stateful)]`",
    note = "a replay leaves out calls, and with them their effects; run the model with its changes from the start: `model.run()` with `forward` or `capture`"
)]
pub trait Stateless<'a> {}

impl<'a, M: Stateless<'a> + ?Sized> Stateless<'a> for &M {}
impl<'a, M: Stateless<'a> + ?Sized> Stateless<'a> for Box<M> {}
impl<'a, M: Stateless<'a> + ?Sized> Stateless<'a> for Arc<M> {}
impl<'a, M: Stateless<'a> + ?Sized> Stateless<'a> for Rc<M> {}
impl<'a, M: Stateless<'a>> Stateless<'a> for Option<M> {}
impl<'a, M: Stateless<'a>> Stateless<'a> for Vec<M> {}
impl<'a, M: Stateless<'a>> Stateless<'a> for [M] {}
impl<'a, M: Stateless<'a>, const N: usize> Stateless<'a> for [M; N] {}

/// The sites of `M`.
pub type Sites<M> = <M as Tapped>::Sites;

/// The taps of `M`.
pub type Taps<M> = <M as Tapped>::Taps;

/// The element of a container field whose type is an alias.
pub type Elem<C> = <C as Elements>::Elem;

macro_rules! tapped_elements {
    ($([$($generics:tt)*] $container:ty),*) => {$(
        impl<M: Tapped, $($generics)*> Tapped for $container {
            type Taps = Vec<M::Taps>;
            type Sites = Each<M::Sites>;
            const STATEFUL: bool = M::STATEFUL;

            fn __taper_sites(&self, b: &mut Builder) -> Self::Sites {
                b.each(self, |b, m| m.__taper_sites(b))
            }

            fn __taper_holds(&self, addr: usize) -> bool {
                let start = self.as_ptr().addr();
                (start..start + size_of_val::<[M]>(self)).contains(&addr) || self.iter().any(|m| m.__taper_holds(addr))
            }
        }
    )*};
}
tapped_elements!([] Vec<M>, [const N: usize] [M; N], [] [M]);

impl<M: Tapped> Tapped for Option<M> {
    type Taps = Option<M::Taps>;
    type Sites = Maybe<M::Sites>;
    const STATEFUL: bool = M::STATEFUL;

    fn __taper_sites(&self, b: &mut Builder) -> Self::Sites {
        b.maybe_with(self.as_ref().map(|m| |b: &mut Builder| m.__taper_sites(b)))
    }

    /// An `Option<&M>` stands where the `M` does.
    fn __taper_addr(&self) -> usize {
        self.as_ref().map_or(std::ptr::from_ref(self).addr(), M::__taper_addr)
    }

    fn __taper_holds(&self, addr: usize) -> bool {
        let start = std::ptr::from_ref(self).addr();
        (start..start + size_of::<Self>()).contains(&addr) || self.as_ref().is_some_and(|m| m.__taper_holds(addr))
    }
}

macro_rules! tapped_through {
    ($($pointer:ty),*) => {$(
        impl<M: Tapped + ?Sized> Tapped for $pointer {
            type Taps = M::Taps;
            type Sites = M::Sites;
            const STATEFUL: bool = M::STATEFUL;

            fn __taper_sites(&self, b: &mut Builder) -> Self::Sites {
                (**self).__taper_sites(b)
            }

            fn __taper_holds(&self, addr: usize) -> bool {
                let start = std::ptr::from_ref(self).addr();
                (start..start + size_of::<Self>()).contains(&addr) || (**self).__taper_holds(addr)
            }
        }
    )*};
}
tapped_through!(Box<M>, Arc<M>, Rc<M>);

/// A reference stands for what it refers to: variables of loops are references to the elements themselves.
impl<M: Tapped + ?Sized> Tapped for &M {
    type Taps = M::Taps;
    type Sites = M::Sites;
    const STATEFUL: bool = M::STATEFUL;

    fn __taper_sites(&self, b: &mut Builder) -> Self::Sites {
        (**self).__taper_sites(b)
    }

    fn __taper_addr(&self) -> usize {
        (**self).__taper_addr()
    }

    fn __taper_holds(&self, addr: usize) -> bool {
        (**self).__taper_holds(addr)
    }
}

/// candle's own idiom, `x.apply(&self.f.as_ref())`: an absent layer passes its input on. A present one has the frame that
/// its place in the code gives it.
pub trait OptionalLayer<M: Layer> {
    #[doc(hidden)]
    fn __taper_forward<F: Frame<Inner = M::Sites>>(&self, x: &Tensor, at: At<'_, '_, '_, F>) -> Result<Tensor>;

    #[doc(hidden)]
    fn __taper_forward_t<F: Frame<Inner = M::Sites>>(
        &self,
        x: &Tensor,
        train: bool,
        at: At<'_, '_, '_, F>,
    ) -> Result<Tensor>;
}

impl<M: Layer> OptionalLayer<M> for Option<&M> {
    fn __taper_forward<F: Frame<Inner = M::Sites>>(&self, x: &Tensor, at: At<'_, '_, '_, F>) -> Result<Tensor> {
        in_frame(*self, x, at, |module, at| module.__taper_forward(x, at))
    }

    fn __taper_forward_t<F: Frame<Inner = M::Sites>>(
        &self,
        x: &Tensor,
        train: bool,
        at: At<'_, '_, '_, F>,
    ) -> Result<Tensor> {
        in_frame(*self, x, at, |module, at| module.__taper_forward_t(x, train, at))
    }
}

fn in_frame<M: Layer, F: Frame<Inner = M::Sites>>(
    module: Option<&M>,
    x: &Tensor,
    at: At<'_, '_, '_, F>,
    forward: impl FnOnce(&M, At<'_, '_, '_, M::Sites>) -> Result<Tensor>,
) -> Result<Tensor> {
    let Some(module) = module else { return Ok(x.clone()) };
    let At { sites, pass } = at;
    let result = forward(module, pass.enter(sites));
    pass.leave();
    result
}
