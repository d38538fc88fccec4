//! Values that are known beforehand, so that the code that makes them is skipped.

use std::any::Any;

use super::change::Origin;
use super::{CHANGE, Pass};

impl Pass<'_> {
    pub(super) fn given_at<T: Clone + Any>(&mut self, index: u32) -> Option<T> {
        if self.flags[index as usize] & CHANGE == 0 && self.replay.is_none() {
            return None;
        }
        self.find_given(index)
    }

    #[cold]
    fn find_given<T: Clone + Any>(&mut self, index: u32) -> Option<T> {
        if self.effects {
            return None;
        }
        let path = self.path.as_deref().unwrap_or_default();
        if let Some(value) = self.changes.and_then(|changes| changes.replacement(index, path)) {
            self.leave_out(self.layout.scope_before(index)..index);
            if let Err(error) = self.fits_recorded(index, &value) {
                let error = self.at_site(index, error);
                self.fail(error);
                return None;
            }
            self.given = Some((index, Origin::Replaced));
            return Some(value);
        }
        self.recorded(index).unwrap_or_else(|error| {
            self.fail(error);
            None
        })
    }

    /// What stands there does not run. The changes of a recorded run in it were made when it was recorded, or are left out
    /// with what they change.
    pub(super) fn leave_out(&mut self, indices: std::ops::Range<u32>) {
        let Some(changes) = self.changes else { return };
        let path = self.path.as_deref().unwrap_or_default();
        for (change, reached) in changes.iter().zip(&mut self.reached) {
            let here = |(node, visit): &(u32, u32)| indices.contains(node) || path.contains(&(*node, *visit));
            *reached |= change.inherited && indices.contains(&change.index) && change.visits.iter().all(here);
        }
    }
}
