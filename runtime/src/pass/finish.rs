//! The end of a run.

use super::change::Change;
use super::{Pass, Reader, SEEN, STOPPED, Slots};
use crate::names::Describe;
use crate::{Error, Result};

impl<'r> Pass<'r> {
    /// The values of a run that ended, and the error of one that failed.
    pub(crate) fn finish<T, E: From<Error> + 'static>(
        mut self,
        result: std::result::Result<T, E>,
    ) -> std::result::Result<Finished<'r, T>, E> {
        if let Some(fault) = self.fault {
            return Err(E::from(fault));
        }
        match result {
            Ok(output) => {
                self.all_reached()?;
                Ok(Finished { output: Some(output), slots: self.current, suspect: self.suspect, model: self.model })
            }
            // Frames that were open when the pass stopped hold nothing that was asked for.
            Err(_) if self.stopped => {
                self.all_reached()?;
                let slots = match self.enclosing.is_empty() {
                    true => self.current,
                    false => self.enclosing.swap_remove(0).0,
                };
                Ok(Finished { output: None, slots, suspect: self.suspect, model: self.model })
            }
            Err(mut error) => {
                self.place_of(&mut error);
                Err(error)
            }
        }
    }

    /// A change that was not made is an error, unless it says that it may be left out. A run that stopped early knows
    /// nothing of what would have come: only what it passed by can't come any more.
    fn all_reached(&self) -> Result<()> {
        let Some(changes) = self.changes else { return Ok(()) };
        let seen = |output: u32| self.flags[output as usize] & SEEN != 0;
        let passed = |change: &Change<'_>| {
            let expected = || self.expected.contains(&change.index);
            !self.stopped || expected() || self.layout.scopes_around(change.index).any(seen)
        };
        let left_out = |(change, reached): &(&Change<'_>, &bool)| !change.optional && !**reached && passed(change);
        let left_out = changes.iter().zip(&self.reached).find(left_out);
        let Some((change, _)) = left_out else { return Ok(()) };
        let name = self.model.names().of(change.index);
        let visit = change.visits.last().map_or_else(String::new, |(_, visit)| format!(" in visit {visit}"));
        Err(Error::Msg(format!(
            "the change at `{name}` was not made: the run did not reach it{visit}; say `.if_reached()` after the change if it \
             may be left out"
        )))
    }
}

/// A run that ended.
pub(crate) struct Finished<'r, T> {
    /// `None` if the run stopped early.
    output: Option<T>,
    slots: Slots,
    suspect: Option<u32>,
    model: &'r dyn Describe,
}

impl<T> Finished<'_, T> {
    /// What the model returned.
    pub(crate) fn into_output(self) -> Result<T> {
        self.output.ok_or_else(|| Error::Msg(STOPPED.to_owned()))
    }

    pub(crate) fn into_slots(self) -> Slots {
        self.slots
    }

    /// The first value that may have lost its gradient.
    pub(crate) fn suspect(&self) -> Option<u32> {
        self.suspect
    }

    pub(crate) fn slots(&self) -> &Slots {
        &self.slots
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader::new(&self.slots, self.model)
    }
}
