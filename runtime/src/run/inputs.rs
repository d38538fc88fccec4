//! The arguments of a recorded run, so that another run with others is refused.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use candle_core::Tensor;

use super::weights::Fingerprint;
use crate::{Error, Result, bundle};

/// What the arguments of a run were, where somebody has to know.
#[derive(Default)]
pub struct Inputs(Option<Vec<(&'static str, Seen)>>);

/// An argument as it was when it was looked at, by [`Input::see`].
pub struct Seen(As);

enum As {
    /// A tensor, and its content: it may be written to, and stay the same tensor.
    Tensor(Tensor, Option<Fingerprint>),
    /// Several parts: elements, fields, or the content of an `Option`.
    Parts(Vec<Seen>),
    /// Anything that can be compared.
    Value(Arc<dyn Value>),
    /// What can't be compared, by its type.
    Opaque(&'static str),
}

/// A value that can be compared.
pub(super) trait Value: Any + Send + Sync {
    /// Whether the other is equal.
    fn equals(&self, other: &dyn Any) -> bool;
    /// Itself.
    fn any(&self) -> &dyn Any;
}

impl<T: PartialEq + Any + Send + Sync> Value for T {
    fn equals(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<T>().is_some_and(|other| other == self)
    }

    fn any(&self) -> &dyn Any {
        self
    }
}

impl Inputs {
    /// Looks at the arguments, if somebody has to know them.
    pub(crate) fn seen(known: bool, see: impl FnOnce() -> Vec<(&'static str, Seen)>) -> Self {
        Inputs(known.then(see))
    }

    /// Whether a later run can tell that it has the same.
    pub(crate) fn check_comparable(&self) -> Result<()> {
        for (name, seen) in self.0.iter().flatten() {
            if let Some(ty) = seen.opaque() {
                return Err(Error::Msg(format!(
                    "the argument `{name}` can't be recorded: a `{ty}` can't be compared with that of a later run; it can if it \
                     is a tensor, a number, or an `Option`, `Vec`, array or tuple of such, or a type of its own that implements \
                     `taper::Input`, or `PartialEq`, `Clone`, `Send` and `Sync`"
                )));
            }
        }
        Ok(())
    }

    /// An error if these are not those.
    pub(crate) fn check_same(&self, recorded: &Inputs) -> Result<()> {
        let (now, then) = (self.0.as_deref().unwrap_or_default(), recorded.0.as_deref().unwrap_or_default());
        for ((name, now), (_, then)) in now.iter().zip(then) {
            if !now.same(then)? {
                let forms = match (&now.0, &then.0) {
                    (As::Tensor(now, _), As::Tensor(then, _)) if !bundle::same_form(now, then) => {
                        let [now, then] = [now, then].map(|t| bundle::form(t).unwrap_or_default());
                        format!(" (it is {now}, and was {then})")
                    }
                    _ => String::new(),
                };
                return Err(Error::Msg(format!(
                    "the argument `{name}` is not that of the recorded run{forms}; a replay is of the same inputs: record a \
                     run with these first"
                )));
            }
        }
        Ok(())
    }
}

impl Seen {
    fn tensor(tensor: &Tensor) -> Self {
        Seen(As::Tensor(tensor.clone(), Fingerprint::of(tensor).ok()))
    }

    /// The tensors in it.
    pub(crate) fn tensors(&self, found: &mut Vec<Tensor>) {
        match &self.0 {
            As::Tensor(tensor, ..) => found.push(tensor.clone()),
            As::Parts(parts) => parts.iter().for_each(|part| part.tensors(found)),
            As::Value(_) | As::Opaque(_) => {}
        }
    }

    fn opaque(&self) -> Option<&'static str> {
        match &self.0 {
            As::Opaque(ty) => Some(ty),
            As::Parts(parts) => parts.iter().find_map(Seen::opaque),
            As::Tensor(..) | As::Value(_) => None,
        }
    }

    fn same(&self, other: &Seen) -> Result<bool> {
        Ok(match (&self.0, &other.0) {
            (As::Tensor(a, None), As::Tensor(b, None)) if a.id() == b.id() => true,
            (As::Tensor(a, now), As::Tensor(b, then)) => {
                if a.dims() != b.dims() || a.dtype() != b.dtype() {
                    return Ok(false);
                }
                let of = |content: &Option<Fingerprint>, tensor: &Tensor| {
                    content.map_or_else(|| Fingerprint::of(tensor), Ok)
                };
                of(now, a)? == of(then, b)?
            }
            (As::Parts(a), As::Parts(b)) => {
                let mut same = a.len() == b.len();
                for (a, b) in a.iter().zip(b) {
                    same = same && a.same(b)?;
                }
                same
            }
            (As::Value(a), As::Value(b)) => a.equals((**b).any()),
            _ => false,
        })
    }
}

/// An argument, to be looked at: first as what tensors are made of, then as a value that can be compared.
pub struct Argument<'a, T: ?Sized>(pub &'a T);

/// What can be an argument of a recorded run: tensors, numbers, and what holds them.
///
/// A replay is refused if its arguments are not those of the recording, so they must be comparable. Tensors, numbers,
/// strings and `Option`s, `Vec`s, slices, arrays and tuples of them are, and a type of yours with `PartialEq`, `Clone`, `Send` and
/// `Sync`. A type of yours that holds tensors implements this trait, by what its fields are as a tuple:
///
/// ```
/// use taper::{Input, Seen, candle_core::Tensor};
///
/// pub struct Batch {
///     pub ids: Tensor,
///     pub mask: Option<Tensor>,
/// }
///
/// impl Input for Batch {
///     fn see(&self) -> Seen {
///         (&self.ids, &self.mask).see()
///     }
/// }
/// ```
pub trait Input {
    /// What it is now.
    fn see(&self) -> Seen;
}

impl<T: Input + ?Sized> Argument<'_, T> {
    /// What it is.
    pub fn see(&self) -> Seen {
        self.0.see()
    }
}

/// The same of other values. The inherent function wins where it is.
pub trait Comparable {
    #[doc(hidden)]
    fn see(&self) -> Seen;
}

impl<T: PartialEq + Clone + Any + Send + Sync> Comparable for Argument<'_, T> {
    fn see(&self) -> Seen {
        Seen(As::Value(Arc::new(self.0.clone())))
    }
}

/// The same of anything. The function of a closer type wins where it is.
pub trait Incomparable {
    #[doc(hidden)]
    fn see(&self) -> Seen;
}

impl<T: ?Sized> Incomparable for &Argument<'_, T> {
    fn see(&self) -> Seen {
        Seen(As::Opaque(std::any::type_name::<T>()))
    }
}

impl Input for Tensor {
    fn see(&self) -> Seen {
        Seen::tensor(self)
    }
}

impl<T: Input + ?Sized> Input for &T {
    fn see(&self) -> Seen {
        (**self).see()
    }
}

impl<T: Input> Input for Option<T> {
    fn see(&self) -> Seen {
        Seen(As::Parts(self.iter().map(Input::see).collect()))
    }
}

impl<T: Input> Input for [T] {
    fn see(&self) -> Seen {
        Seen(As::Parts(self.iter().map(Input::see).collect()))
    }
}

impl<T: Input> Input for Vec<T> {
    fn see(&self) -> Seen {
        self.as_slice().see()
    }
}

impl<T: Input, const N: usize> Input for [T; N] {
    fn see(&self) -> Seen {
        self.as_slice().see()
    }
}

impl<T: ?Sized> Input for PhantomData<T> {
    fn see(&self) -> Seen {
        Seen(As::Parts(Vec::new()))
    }
}

macro_rules! plain {
    ($($ty:ty)*) => {$(
        impl Input for $ty {
            fn see(&self) -> Seen {
                Seen(As::Value(Arc::new(self.to_owned())))
            }
        }
    )*};
}
plain!(bool char u8 u16 u32 u64 usize i8 i16 i32 i64 isize f32 f64 str String);

macro_rules! tuples {
    ($($($name:ident)*;)+) => {$(
        impl<$($name: Input),*> Input for ($($name,)*) {
            #[allow(non_snake_case, reason = "a tuple's parts are named after their types")]
            fn see(&self) -> Seen {
                let ($($name,)*) = self;
                Seen(As::Parts(vec![$($name.see()),*]))
            }
        }
    )+};
}
tuples! {
    ;
    A;
    A B;
    A B C;
    A B C D;
}
