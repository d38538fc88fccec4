//! What a run reuses of a recording: every call that came before the first change and has no part in it.

use super::change::Origin;
use super::recorded::{Entry, Recorded};
use super::{CHANGE, KEEP, LOOK, Pass, REDUCE, Slot};
use crate::Result;
use crate::bundle::{self, Shared};

/// A recording that a run starts from.
pub(crate) struct Replay<'r> {
    /// The frames of the recording that are those of the run, outermost first. `None` where the run makes a visit that
    /// the recording has not.
    frames: Vec<Option<&'r Recorded>>,
    /// When the first change was made in the recorded order: what was produced before is as it was.
    limit: u32,
}

impl<'r> Replay<'r> {
    pub(crate) fn new(root: &'r Recorded, limit: u32) -> Self {
        Replay { frames: vec![Some(root)], limit }
    }

    pub(crate) fn enter(&mut self, node: u32, visit: u32) {
        let frame = self.frame().and_then(|frame| frame.frames(node).get(visit as usize));
        self.frames.push(frame);
    }

    pub(crate) fn leave(&mut self) {
        self.frames.pop();
    }

    fn frame(&self) -> Option<&'r Recorded> {
        self.frames.last().copied().flatten()
    }
}

/// Gives a value that is edited memory of its own: an edit may write in place, and the recording is not to change with it.
fn keep_apart(value: &mut dyn std::any::Any) -> Result<()> {
    bundle::for_tensors(value, &mut |tensor| {
        *tensor = tensor.copy()?;
        Ok(())
    })
}

impl Pass<'_> {
    /// The recorded value of a call, if all of it came before the first change; what was selected inside it is read from
    /// the recording.
    pub(super) fn recorded<T: Clone + 'static>(&mut self, index: u32) -> Result<Option<T>> {
        let Some((frame, limit)) = self.replay.as_ref().and_then(|r| Some((r.frame()?, r.limit))) else {
            return Ok(None);
        };
        let Entry::Value { order, value } = frame.entry(index) else { return Ok(None) };
        // At the limit stands the first change itself: its edits start from the recorded value.
        let inside = self.layout.scope_before(index)..index;
        if *order > limit || self.asks_for_what_was_not_kept(frame, inside.clone()) {
            return Ok(None);
        }
        let Some(mut known) = value.downcast_ref::<T>().cloned() else { return Ok(None) };
        if self.flags[index as usize] & CHANGE != 0 {
            keep_apart(&mut known)?;
        }
        self.take(frame, inside.clone())?;
        self.leave_out(inside);
        self.given = Some((index, Origin::Recorded));
        Ok(Some(known))
    }

    /// Whether [`recorded`](Self::recorded) has a value for a site that is no model's output.
    pub(super) fn is_recorded<T: 'static>(&self, index: u32) -> bool {
        let Some((frame, limit)) = self.replay.as_ref().and_then(|r| Some((r.frame()?, r.limit))) else { return false };
        matches!(frame.entry(index), Entry::Value { order, value } if *order <= limit && value.is::<T>())
    }

    /// A changed tap before the first new change is what was recorded, so that the recorded run's changes are not made anew:
    /// one of them may give something else each time.
    #[cold]
    pub(super) fn as_recorded<T: Clone + 'static>(&mut self, index: u32, value: &mut T) {
        let changed = self.flags[index as usize] & CHANGE != 0 && !self.effects;
        if !changed || self.given.is_some_and(|(given, _)| given == index) {
            return;
        }
        let Some((frame, limit)) = self.replay.as_ref().and_then(|r| Some((r.frame()?, r.limit))) else { return };
        let Entry::Value { order, value: recorded } = frame.entry(index) else { return };
        if *order <= limit
            && let Some(recorded) = recorded.downcast_ref::<T>()
        {
            *value = recorded.clone();
            if let Err(error) = keep_apart(value) {
                self.fail(error);
            }
            self.given = Some((index, Origin::Recorded));
        }
    }

    /// A value that stands in for a recorded one is of the same form.
    pub(super) fn fits_recorded<T: 'static>(&self, index: u32, value: &T) -> Result<()> {
        let Some(frame) = self.replay.as_ref().and_then(Replay::frame) else { return Ok(()) };
        match frame.entry(index) {
            Entry::Value { value: recorded, .. } if !bundle::same_form(value, &**recorded) => {
                let [new, old] =
                    [value, &**recorded as &dyn std::any::Any].map(|v| bundle::form(v).unwrap_or_default());
                Err(crate::Error::Msg(format!(
                    "the value put in is {new}, and the recorded one is {old}; a change keeps shape, dtype and device"
                )))
            }
            _ => Ok(()),
        }
    }

    fn asks_for_what_was_not_kept(&self, frame: &Recorded, indices: std::ops::Range<u32>) -> bool {
        self.not_kept_in(frame, indices).is_some()
    }

    /// The first site that was selected and reached, and whose value was not kept.
    pub(crate) fn not_kept(&self, root: &Recorded) -> Option<u32> {
        self.not_kept_in(root, root.indices())
    }

    fn not_kept_in(&self, frame: &Recorded, mut indices: std::ops::Range<u32>) -> Option<u32> {
        indices.find_map(|index| match frame.entry(index) {
            Entry::NotKept { .. } => (self.flags[index as usize] & (KEEP | REDUCE) != 0).then_some(index),
            Entry::Frames(frames) => frames.iter().find_map(|f| self.not_kept_in(f, f.indices())),
            _ => None,
        })
    }

    /// Keeps what was selected of everything that was recorded.
    pub(crate) fn take_all(&mut self, root: &Recorded) -> Result<()> {
        self.take(root, root.indices())
    }

    /// Keeps what was selected of the recorded values, as if they were produced now.
    fn take(&mut self, frame: &Recorded, indices: std::ops::Range<u32>) -> Result<()> {
        for index in indices {
            match frame.entry(index) {
                Entry::Value { order, value } => {
                    self.was_produced(index, *order);
                    self.take_value(index, value)?;
                }
                Entry::NotKept { order } => self.was_produced(index, *order),
                Entry::Frames(frames) if self.flags[index as usize] & (KEEP | LOOK) != 0 => {
                    let span = self.layout.frame_at(index);
                    for inner in frames {
                        self.open(span);
                        self.take(inner, inner.indices())?;
                        self.close();
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Notes when a value was produced, in a replay that is recorded: what comes before the first change comes at the same
    /// time in both.
    fn was_produced(&mut self, index: u32, order: u32) {
        if let Some(next) = &mut self.order {
            self.current.mark(index, order);
            *next = order.saturating_add(1).max(*next);
        }
    }

    fn take_value(&mut self, index: u32, value: &Shared) -> Result<()> {
        if self.flags[index as usize] == 0 {
            return Ok(());
        }
        let attached = self.attached;
        let flags = self.flags[index as usize];
        self.give_out(index, flags, &**value, || bundle::slot(value, attached))
    }

    /// Gives a value to whoever asked for it.
    pub(super) fn give_out(
        &mut self,
        index: u32,
        flags: u8,
        value: &dyn std::any::Any,
        slot: impl FnOnce() -> Slot,
    ) -> Result<()> {
        if flags & KEEP != 0 && !self.current.put(index, slot()) {
            return Err(self.produced_twice(index));
        }
        if flags & REDUCE != 0 {
            for reducer in self.reducers.iter().filter(|r| r.index == index) {
                let reduced = reducer.reduce.reduce(value, self.attached)?;
                if !self.current.put_reduced(reducer.key, reduced) {
                    return Err(self.produced_twice(index));
                }
            }
        }
        if flags & super::AWAIT != 0 {
            self.now_known(index)?;
        }
        Ok(())
    }
}
