//! Functions of what is selected.

use std::any::Any;

use super::{Selection, Wants};
use crate::Result;
use crate::pass::{Reader, Slot, compacted, detached};
use crate::site::Site;

/// A site whose value is reduced as it is captured: what [`Site::map`] gives.
#[derive(Clone, Debug)]
pub struct Map<T, F> {
    site: Site<T>,
    f: F,
}

/// Reduces a value as it is produced.
pub(crate) trait Reduce {
    fn reduce(&self, value: &dyn Any, attached: bool) -> Result<Slot>;
}

impl<T, F> Map<T, F> {
    pub(crate) fn new(site: Site<T>, f: F) -> Self {
        Map { site, f }
    }

    /// Where the reduced value is kept. A selection stays in place while it is used, and this one has a size.
    fn key(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }
}

impl<T: Any, U: Clone + Any, F: Fn(&T) -> Result<U>> Reduce for Map<T, F> {
    fn reduce(&self, value: &dyn Any, attached: bool) -> Result<Slot> {
        let value = value.downcast_ref::<T>().expect("a site's values have its type");
        let reduced = compacted((self.f)(value)?)?;
        Ok(Slot::of(if attached { reduced } else { detached(reduced) }))
    }
}

impl<T: Any, U: Clone + Any, F: Fn(&T) -> Result<U>> Selection for Map<T, F> {
    type Value = U;

    fn want<'s>(&'s self, wants: &mut Wants<'s>) {
        wants.reduce(self.site.index, self.site.tree, self.key(), self);
    }

    fn read(&self, reader: &Reader<'_>) -> Result<U> {
        reader.reduced(self.site.index, self.key())
    }
}

/// A function of several values: what [`Selection::map`] gives.
#[derive(Clone, Debug)]
pub struct MapAll<S, F> {
    selection: S,
    f: F,
}

impl<S, F> MapAll<S, F> {
    pub(crate) fn new(selection: S, f: F) -> Self {
        MapAll { selection, f }
    }
}

impl<S: Selection, U: Any, F: Fn(&S::Value) -> Result<U>> Selection for MapAll<S, F> {
    type Value = U;

    fn want<'s>(&'s self, wants: &mut Wants<'s>) {
        self.selection.want(wants);
    }

    fn read(&self, reader: &Reader<'_>) -> Result<U> {
        compacted((self.f)(&self.selection.read(reader)?)?)
    }
}
