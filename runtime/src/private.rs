//! What generated code calls. Not for users: it changes without notice.

pub use candle_core;
pub use candle_nn;
pub use taper_macros::__forward;

pub use std::clone::Clone;
pub use std::convert::AsRef;
pub use std::fmt::{Debug, Formatter, Result as FmtResult};
pub use std::ops::FnOnce;
pub use std::option::Option::{self, None, Some};
pub use std::path::Path;
pub use std::result::Result::{self, Ok};
pub use std::vec;
pub use std::vec::Vec;

pub use crate::glob::matches_parts;
pub use crate::leaf::leaf;
pub use crate::load::private::*;
pub use crate::model::Model;
pub use crate::names::SiteTable;
pub use crate::near::{did_you_mean, near};
pub use crate::pass::{At, Frame, Pass, Reader, buffer};
pub use crate::run::{Argument, LossSetup, Runnable, Runner, Seen, Setup, capture, forward_with_taps, run, site_table};
pub use crate::run::{Capture, Differentiate, Forward, Job, Record, Running, WithTaps};
pub use crate::select::Selection;
pub use crate::site::{Around, Builder, Each, Framed, Maybe, Site, Span, Tree, Visited, Visits};
pub use crate::tapped::Stateless;
pub use crate::tapped::{Elem, Layer, Sites, Tapped, Taps};
pub use crate::taps::{Visitor, debug, load as load_taps, save as save_taps};
pub use crate::{Gradients, Recording, Run};

/// The traits that tell how arguments are compared.
pub mod arguments {
    pub use crate::run::{Comparable as _, Incomparable as _};
}

/// The same of arguments that borrow: they can't be kept, and so not compared, unless they are made of tensors.
pub mod borrowed_arguments {
    pub use crate::run::Incomparable as _;
}

/// The traits whose methods traced calls become.
pub mod calls {
    pub use crate::leaf::{DropoutLeaf as _, Recurrent as _, TrainLeaf as _};
    pub use crate::tapped::{Layer as _, OptionalLayer as _, Tapped as _};

    pub use super::Plain as _;
}

/// True of two equal types: a bound that can be written whether it holds or not.
pub trait Same<'a, T> {
    /// The value, which has both types.
    fn same(self) -> T;
}

impl<'a, T> Same<'a, T> for T {
    fn same(self) -> T {
        self
    }
}

/// Where a foreign layer stands in memory.
pub fn addr<T: ?Sized>(value: &T) -> usize {
    std::ptr::from_ref(value).cast::<()>().addr()
}

/// What a `forward` returns.
#[diagnostic::on_unimplemented(
    message = "`forward` returns `{Self}`, which is no `Result`",
    note = "a pass can fail and can stop early; return a `Result`"
)]
pub trait Fallible {
    /// What it returns if it does not fail.
    type Output;
    /// What it fails with.
    type Error;
}

impl<T, E> Fallible for Result<T, E> {
    type Output = T;
    type Error = E;
}

/// The answer for models whose `#[forward]` is without errors. The inherent constant of the same name wins where it is.
pub trait NotInError {
    /// No.
    const __TAPER_IN_ERROR: bool = false;
}

impl<T: ?Sized> NotInError for T {}

/// Whether a type holds something with taps, for fields that `forward` never mentions.
pub struct Holds<T: ?Sized>(std::marker::PhantomData<T>);

/// The answer for types that hold nothing with taps. The inherent constant of the same name wins where it applies.
pub trait HoldsNothing {
    /// Nothing.
    const TAPS: bool = false;
}

impl<T: ?Sized> HoldsNothing for Holds<T> {}

impl<T: HasTaps + ?Sized> Holds<T> {
    /// Something.
    pub const TAPS: bool = true;
}

/// Types that have taps or hold something that has.
pub trait HasTaps {}

impl<T: Tapped + ?Sized> HasTaps for T {}

macro_rules! has_taps {
    ($([$($generics:tt)*] $type:ty;)*) => {$(impl<$($generics)*> HasTaps for $type {})*};
}
has_taps! {
    [T: HasTaps + ?Sized] std::cell::RefCell<T>;
    [T: HasTaps + ?Sized] std::cell::Cell<T>;
    [T: HasTaps] std::cell::OnceCell<T>;
    [T: HasTaps + ?Sized] std::sync::Mutex<T>;
    [T: HasTaps + ?Sized] std::sync::RwLock<T>;
    [T: HasTaps] std::sync::OnceLock<T>;
    [T: HasTaps] std::collections::VecDeque<T>;
    [K, T: HasTaps, S] std::collections::HashMap<K, T, S>;
    [K, T: HasTaps] std::collections::BTreeMap<K, T>;
    [A: HasTaps] (A,);
    [A: HasTaps, B] (A, B);
    [A: HasTaps, B, C] (A, B, C);
}

/// A field of a submodule that is read.
pub struct Mention<T>(pub T);

/// What may be read of a submodule: plain data. A submodule inside it has the inherent method instead, which nothing can
/// call.
pub trait Plain<'a, T: ?Sized> {
    /// The data.
    fn plain(self) -> &'a T;
}

impl<'a, T: ?Sized> Plain<'a, T> for Mention<&'a T> {
    fn plain(self) -> &'a T {
        self.0
    }
}

impl<'a, T: HasTaps + ?Sized> Mention<&'a T> {
    /// A submodule of a submodule is reached through the `forward` of the latter only.
    pub fn plain(self) -> &'a T
    where
        T: Untraced,
    {
        self.0
    }
}

/// Nothing: what is inside a submodule is traced there.
#[diagnostic::on_unimplemented(
    message = "a submodule inside a submodule can't be reached past it: its taps belong to the submodule's own `forward`",
    label = "what this does would have no taps",
    note = "give the outer submodule's `forward` what it needs, or write `#[untapped]` on the statement"
)]
pub trait Untraced {}

/// A step of a sequential model. The bound tells a closure the type of its argument.
pub fn step<F: FnOnce(&candle_core::Tensor) -> crate::Result<candle_core::Tensor>>(
    x: &candle_core::Tensor,
    f: F,
) -> crate::Result<candle_core::Tensor> {
    f(x)
}
