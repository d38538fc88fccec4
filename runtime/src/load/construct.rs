//! What a generated loader calls, and the trait by which a model's loader finds those of its fields.

use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

use candle_core::{Error, Result};

/// What a generated loader returns.
pub type LoadResult<T> = Result<T>;

/// A type that loads itself from a builder `VB`, with a configuration `C`.
///
/// `#[derive(Model)]` implements it beside the inherent `load`; implement it for a layer of your own, and a field of
/// that type needs no `#[load(…)]`. A model without a configuration accepts any.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not load itself with the configuration `{C}`",
    label = "no loader for this field",
    note = "add `#[load(…)]` with a constructor to the field, or a loader to its type; \
            if its loader takes another configuration, name it by `#[load(config = …)]`"
)]
pub trait Load<VB, C: ?Sized>: Sized {
    /// Loads the value that lies at `vb`.
    ///
    /// # Errors
    /// Fails when a weight is missing or has another shape.
    fn load(vb: VB, cfg: &C) -> Result<Self>;
}

#[diagnostic::do_not_recommend]
impl<VB, C: ?Sized, T: Load<VB, C>> Load<VB, C> for Box<T> {
    fn load(vb: VB, cfg: &C) -> Result<Self> {
        T::load(vb, cfg).map(Box::new)
    }
}

#[diagnostic::do_not_recommend]
impl<VB, C: ?Sized, T: Load<VB, C>> Load<VB, C> for Arc<T> {
    fn load(vb: VB, cfg: &C) -> Result<Self> {
        T::load(vb, cfg).map(Arc::new)
    }
}

#[diagnostic::do_not_recommend]
impl<VB, C: ?Sized, T: Load<VB, C>> Load<VB, C> for Rc<T> {
    fn load(vb: VB, cfg: &C) -> Result<Self> {
        T::load(vb, cfg).map(Rc::new)
    }
}

impl<VB, C: ?Sized, T: ?Sized> Load<VB, C> for PhantomData<T> {
    fn load(_: VB, _: &C) -> Result<Self> {
        Ok(PhantomData)
    }
}

/// An element's constructor may fail with any error that `?` would take.
#[doc(hidden)]
pub fn loaded<T, E>(result: std::result::Result<T, E>) -> Result<T>
where
    Error: From<E>,
{
    Ok(result?)
}

/// `each(n, …)`: the elements lie below `vb`, each under its index.
#[doc(hidden)]
pub fn load_each<VB, T>(vb: VB, count: usize, mut load: impl FnMut(&VB, usize) -> Result<T>) -> Result<Vec<T>> {
    (0..count).map(|index| load(&vb, index)).collect()
}

/// `maybe(condition, …)`.
#[doc(hidden)]
pub fn load_maybe<T>(condition: bool, load: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
    if condition { load().map(Some) } else { Ok(None) }
}

/// `each(n, …)` on a field that is an array.
#[doc(hidden)]
pub fn into_array<T, const N: usize>(elements: Vec<T>, field: &str) -> Result<[T; N]> {
    let count = elements.len();
    elements
        .try_into()
        .map_err(|_| Error::Msg(format!("`{field}` has {N} elements, but its loader gives {count}; make them equal")))
}

/// The name of an element that is a raw parameter.
#[doc(hidden)]
pub fn index_name(index: usize) -> String {
    index.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_collects_in_order_and_stops_at_the_first_error() {
        assert_eq!(load_each((), 3, |(), index| Ok(index)).unwrap(), [0, 1, 2]);
        let mut seen = 0;
        let result = load_each((), 3, |(), index| {
            seen += 1;
            if index == 1 { Err(Error::Msg("no".to_owned())) } else { Ok(()) }
        });
        assert!(result.is_err());
        assert_eq!(seen, 2);
    }

    #[test]
    fn an_array_of_another_length_is_an_error_that_names_both() {
        assert_eq!(into_array::<_, 2>(vec![1, 2], "heads").unwrap(), [1, 2]);
        let error = into_array::<_, 3>(vec![1, 2], "heads").unwrap_err().to_string();
        assert!(error.starts_with("`heads` has 3 elements, but its loader gives 2"), "{error}");
    }

    #[test]
    fn a_condition_that_does_not_hold_loads_nothing() {
        assert_eq!(load_maybe(true, || Ok(1)).unwrap(), Some(1));
        assert_eq!(load_maybe(false, || -> Result<i32> { unreachable!("not called") }).unwrap(), None);
    }
}
