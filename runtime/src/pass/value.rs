//! What happens to a value that is handed over: it is changed, differentiated, kept.

use std::any::Any;

use super::change::Origin;
use super::{CHANGE, KEEP, KNOWN, PLANT, Pass, SEEN, Slot, gradient, keep};
use crate::{Error, Result};

impl Pass<'_> {
    #[inline]
    pub(crate) fn put_tapped<T: Clone + Any>(&mut self, index: u32, mut value: T) -> Option<T> {
        self.last = index;
        self.failed = None;
        if self.flags[index as usize] == 0 {
            return Some(value);
        }
        if self.replay.is_some() {
            self.as_recorded(index, &mut value);
        }
        self.keep(index, &mut value, keep::slot::<T>).then_some(value)
    }

    /// The part of [`put_tapped`](Self::put_tapped) that does not depend on the type, so that it is compiled once.
    #[inline(never)]
    fn keep(&mut self, index: u32, value: &mut dyn Any, slot: fn(&dyn Any, bool) -> Slot) -> bool {
        match self.try_keep(index, value, slot) {
            Ok(()) => !self.stopped,
            Err(error) => {
                self.fail(error);
                false
            }
        }
    }

    fn try_keep(&mut self, index: u32, value: &mut dyn Any, slot: fn(&dyn Any, bool) -> Slot) -> Result<()> {
        let flags = self.flags[index as usize];
        self.flags[index as usize] |= SEEN;
        let origin = match self.given.take() {
            Some((given, origin)) if given == index => origin,
            _ => Origin::Computed,
        };
        if self.differentiated {
            self.check_tracked(index, value, origin);
        }
        if flags & CHANGE != 0 {
            self.change(index, value, origin)?;
        }
        if flags & PLANT != 0 {
            let planted = gradient::plant(value, slot).map_err(|error| self.at_site(index, error))?;
            if !self.current.put(index, Slot::Planted(Box::new(planted))) {
                return Err(self.produced_twice(index));
            }
            self.now_tracked(index, Some(true));
        }
        if let Some(order) = &mut self.order {
            self.current.mark(index, *order);
            *order += 1;
        }
        let value: &dyn Any = value;
        let attached = self.attached;
        let rest = if flags & PLANT != 0 { flags & !KEEP } else { flags };
        self.give_out(index, rest, value, || slot(value, attached))
    }

    #[cold]
    fn change(&mut self, index: u32, value: &mut dyn Any, origin: Origin) -> Result<()> {
        let (path, reached) = (self.path.as_deref().unwrap_or_default(), &mut self.reached);
        let Some(changes) = self.changes else { return Ok(()) };
        let changed = changes.apply(index, path, origin, value, |place| reached[place] = true);
        changed.map_err(|error| self.at_site(index, error))?;
        if self.differentiated {
            self.now_tracked(index, gradient::tracked(value));
        }
        Ok(())
    }

    pub(super) fn at_site(&self, index: u32, error: Error) -> Error {
        let name = self.model.names().of(index);
        Error::Wrapped(Box::new(format!("at `{name}`: {error}")))
    }

    /// What is awaited stands in no frame: a run has one of it.
    pub(super) fn now_known(&mut self, index: u32) -> Result<()> {
        if self.flags[index as usize] & KNOWN != 0 {
            return Err(self.produced_twice(index));
        }
        self.flags[index as usize] |= KNOWN;
        self.awaited -= 1;
        self.stopped |= self.awaited == 0 && self.may_stop;
        Ok(())
    }

    pub(super) fn produced_twice(&self, index: u32) -> Error {
        let name = self.model.names().of(index);
        Error::Msg(format!(
            "`{name}` was produced twice in one run; mark the field it belongs to `#[model(repeated)]`, so that there is \
             one value a visit"
        ))
    }
}
