//! What a model asks whose `forward` goes over a table of nodes, so that it computes what is wanted and no more.

use std::any::Any;

use super::{AWAIT, CHANGE, KEEP, PLANT, Pass, REDUCE};
use crate::Error;
use crate::site::Site;

impl Pass<'_> {
    /// Whether the run goes on until the model has its output, and not only until what was asked for is known.
    pub fn goes_to_the_end(&self) -> bool {
        !self.may_stop
    }

    /// Whether the run needs the value there for itself. A change is a reason only if the run goes to its end.
    pub fn wants<T>(&self, site: &Site<T>) -> bool {
        let reasons =
            if self.may_stop { KEEP | REDUCE | AWAIT | PLANT } else { KEEP | REDUCE | AWAIT | PLANT | CHANGE };
        self.flags[site.index as usize] & reasons != 0
    }

    /// Whether the value stays in memory until the run ends, because it was asked for.
    pub fn keeps<T>(&self, site: &Site<T>) -> bool {
        self.flags[site.index as usize] & (KEEP | PLANT) != 0
    }

    /// Whether [`known`](Self::known) has a value there, so that what it is made of is not needed.
    pub fn is_known<T: Clone + Any>(&self, site: &Site<T>) -> bool {
        let path = self.path.as_deref().unwrap_or_default();
        let replaced = || self.changes.is_some_and(|changes| changes.replacement::<T>(site.index, path).is_some());
        let changed = self.flags[site.index as usize] & CHANGE != 0;
        !self.effects && (changed && replaced() || self.replay.is_some() && self.is_recorded::<T>(site.index))
    }

    /// Says that the run comes by this value before it ends: a change there that is not made is an error, even if the run stops
    /// early. Whether there is one.
    pub fn expects<T>(&mut self, site: &Site<T>) -> bool {
        let changed = self.flags[site.index as usize] & CHANGE != 0;
        if changed {
            self.expected.push(site.index);
        }
        changed
    }

    /// Whether what is known beforehand may be another in every visit of a frame.
    pub fn differs_by_visit(&self) -> bool {
        let of_one_visit = |changes: &super::Changes<'_>| changes.iter().any(|change| !change.visits.is_empty());
        self.replay.is_some() || self.changes.is_some_and(of_one_visit)
    }

    /// The error of a node, with its name, what it is and the shape of what it got.
    pub fn blame<T>(&mut self, site: &Site<T>, what: &str, dims: Option<&[usize]>, error: Error) -> Error {
        self.name_layer(site.index, what, dims, error)
    }
}
