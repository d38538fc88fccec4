//! Reads values out of a finished run.

use std::any::{Any, type_name};

use super::{Slot, Slots};
use crate::names::Describe;
use crate::{Error, Result};

/// Reads the values of one frame of a finished run.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    slots: &'a Slots,
    model: &'a dyn Describe,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(slots: &'a Slots, model: &'a dyn Describe) -> Self {
        Reader { slots, model }
    }

    /// The same run, one of its frames.
    pub(crate) fn within<'b>(&self, frame: &'b Slots) -> Reader<'b>
    where
        'a: 'b,
    {
        Reader { slots: frame, model: self.model }
    }

    pub(crate) fn value<T: Clone + Any>(&self, index: u32) -> Result<T> {
        let slot = self.slots.get(index);
        slot.get::<T>().cloned().ok_or_else(|| match slot {
            Slot::Empty => self.unreached(index),
            _ => Error::Msg(format!("`{}` is not a `{}`", self.name(index), type_name::<T>())),
        })
    }

    pub(crate) fn reduced<T: Clone + Any>(&self, index: u32, key: usize) -> Result<T> {
        let reduced = self.slots.reduced(key).and_then(Slot::get::<T>);
        reduced.cloned().ok_or_else(|| self.unreached(index))
    }

    pub(crate) fn frames(&self, node: u32) -> &'a [Slots] {
        self.slots.frames(node)
    }

    pub(crate) fn name(&self, index: u32) -> String {
        self.model.names().of(index)
    }

    fn unreached(&self, index: u32) -> Error {
        let names = self.model.names();
        let name = names.of(index);
        let remedy = match names.element_of(index) {
            Some((element, field)) => format!(
                "the run did not visit `{element}`; mark `{field}` with `#[model(partial)]`, so that its values are `Option`s"
            ),
            None => "the run ended before it; nothing may leave the code that makes it without an error".to_owned(),
        };
        Error::Msg(format!("`{name}` has no value: {remedy}"))
    }
}
