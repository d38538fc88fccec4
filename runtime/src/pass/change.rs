//! What a run supplies or edits: values known beforehand, and functions of the value that flows by.

use std::any::Any;
use std::collections::HashMap;

use super::Slot;
use crate::Result;

/// An edit of the value at a site. It must leave the type as it is.
pub(crate) type Edit = Box<dyn Fn(&mut dyn Any) -> Result<()> + Send + Sync>;

/// The changes of a run, by index of the site.
#[derive(Default)]
pub(crate) struct Changes {
    supplied: HashMap<u32, Slot>,
    edits: HashMap<u32, Vec<Edit>>,
}

impl Changes {
    pub(crate) fn supplied<T: Clone + Any>(&self, index: u32) -> Option<T> {
        self.supplied.get(&index)?.get::<T>().cloned()
    }

    /// The edits of a site, in the order in which they were made.
    pub(crate) fn apply(&self, index: u32, value: &mut dyn Any, _type_name: &str) -> Result<()> {
        let Some(edits) = self.edits.get(&index) else { return Ok(()) };
        edits.iter().try_for_each(|edit| edit(value))
    }
}
