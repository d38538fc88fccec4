//! The sizes of neighbouring layers of a sequential model, compared by the type checker.
//!
//! The macro sees `linear(256, 120)` but cannot know whose `linear` that is. The type checker does: the constructor and
//! candle-nn's function of the same name are of one type exactly when they are one function. Only then do the sizes
//! have to be equal, and `cargo check` says so. Nothing of this runs.
#![doc(hidden)]

use candle_nn::VarBuilder;

/// The constructor is candle-nn's own.
pub struct CandleNn;

/// The constructor is another function, whose arguments may mean anything.
pub struct Foreign;

/// A constructor, and candle-nn's function of the same name.
pub struct Pair<A, B>(pub A, pub B);

/// An inherent method is preferred to a trait's, so [`Differ`] answers only where the two types differ.
impl<A> Pair<A, A> {
    /// One type: one function.
    pub fn whose(self) -> CandleNn {
        CandleNn
    }
}

/// The answer for two types.
pub trait Differ: Sized {
    /// Another function.
    fn whose(self) -> Foreign {
        Foreign
    }
}

impl<A, B> Differ for Pair<A, B> {}

/// A layer that takes `TAKES` comes after one that gives `GIVES`.
#[diagnostic::on_unimplemented(
    message = "this layer takes size {TAKES}, but the layer before it gives {GIVES}",
    label = "takes {TAKES}, gets {GIVES}",
    note = "make the sizes equal, or write `#[model(unchecked)]` on the struct"
)]
pub trait Follows<const GIVES: usize, const TAKES: usize> {}

#[diagnostic::do_not_recommend]
impl<const SIZE: usize> Follows<SIZE, SIZE> for (CandleNn, CandleNn) {}
#[diagnostic::do_not_recommend]
impl<const GIVES: usize, const TAKES: usize, B> Follows<GIVES, TAKES> for (Foreign, B) {}
#[diagnostic::do_not_recommend]
impl<const GIVES: usize, const TAKES: usize> Follows<GIVES, TAKES> for (CandleNn, Foreign) {}

/// The check itself.
pub fn follows<const GIVES: usize, const TAKES: usize, P: Follows<GIVES, TAKES>>(_: P) {}

/// The constructor as it is called with one argument and the builder; this settles the type of a generic one.
pub fn takes_1<F: FnOnce(A, VarBuilder<'static>) -> R, A, R>(constructor: F) -> F {
    constructor
}

/// The same with two arguments.
pub fn takes_2<F: FnOnce(A, B, VarBuilder<'static>) -> R, A, B, R>(constructor: F) -> F {
    constructor
}

/// The same with three arguments.
pub fn takes_3<F: FnOnce(A, B, C, VarBuilder<'static>) -> R, A, B, C, R>(constructor: F) -> F {
    constructor
}

/// The same with four arguments.
pub fn takes_4<F: FnOnce(A, B, C, D, VarBuilder<'static>) -> R, A, B, C, D, R>(constructor: F) -> F {
    constructor
}

/// A constructor of a size and a number: `layer_norm(768, 1e-5)`, whose second argument is generic.
pub fn takes_number<F: FnOnce(A, N, VarBuilder<'static>) -> R, A, N, R>(constructor: F, _: N) -> F {
    constructor
}
