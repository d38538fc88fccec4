//! The values of a run that was recorded, and when each was produced.

use super::{Slot, Slots};
use crate::bundle::{self, Shared};
use crate::site::Layout;

/// One frame of a recorded run.
pub(crate) struct Recorded {
    base: u32,
    entries: Vec<Entry>,
}

/// What a recording has of a site.
pub(crate) enum Entry {
    /// The run did not reach it.
    Unreached,
    Value {
        order: u32,
        value: Shared,
    },
    /// The run reached it, and its value was not kept: nobody asked for it, or it may not leave its thread.
    NotKept {
        order: u32,
    },
    Frames(Vec<Recorded>),
}

impl Entry {
    pub(crate) fn order(&self) -> Option<u32> {
        match self {
            Entry::Value { order, .. } | Entry::NotKept { order } => Some(*order),
            Entry::Unreached | Entry::Frames(_) => None,
        }
    }
}

impl Recorded {
    pub(crate) fn of(slots: Slots) -> Self {
        let (base, entries) = slots.into_entries();
        let entries = entries.map(|(slot, order)| match (slot, order) {
            (Slot::Frames(frames), _) => Entry::Frames(frames.into_iter().map(Recorded::of).collect()),
            (_, None) => Entry::Unreached,
            (slot, Some(order)) => match slot.any().and_then(bundle::share) {
                Some(value) => Entry::Value { order, value },
                None => Entry::NotKept { order },
            },
        });
        Recorded { base, entries: entries.collect() }
    }

    pub(crate) fn entry(&self, index: u32) -> &Entry {
        let place = index.checked_sub(self.base).and_then(|i| self.entries.get(i as usize));
        place.unwrap_or(&Entry::Unreached)
    }

    pub(crate) fn frames(&self, node: u32) -> &[Recorded] {
        match self.entry(node) {
            Entry::Frames(frames) => frames,
            _ => &[],
        }
    }

    /// Indices of the frame.
    pub(crate) fn indices(&self) -> std::ops::Range<u32> {
        self.base..self.base + u32::try_from(self.entries.len()).expect("there are fewer sites than that")
    }

    /// The entries of a site in the visits that are meant, with their own visits.
    pub(crate) fn visits_of<'r>(
        &'r self,
        index: u32,
        visits: &[(u32, u32)],
        layout: &Layout,
    ) -> Vec<(Vec<(u32, u32)>, &'r Entry)> {
        let mut found = vec![(Vec::new(), self)];
        for node in layout.frames_around(index) {
            let wanted = visits.iter().find(|(n, _)| *n == node).map(|(_, visit)| *visit);
            let inside = |(path, frame): (Vec<(u32, u32)>, &'r Recorded)| {
                let frames = (0..).zip(frame.frames(node)).filter(move |(visit, _)| wanted.is_none_or(|w| w == *visit));
                frames.map(move |(visit, frame)| ([path.as_slice(), &[(node, visit)]].concat(), frame))
            };
            found = found.into_iter().flat_map(inside).collect();
        }
        found.into_iter().map(|(path, frame)| (path, frame.entry(index))).collect()
    }

    /// When the first of the meant visits of a site was produced.
    pub(crate) fn first_order(&self, index: u32, visits: &[(u32, u32)], layout: &Layout) -> Option<u32> {
        self.visits_of(index, visits, layout).iter().filter_map(|(_, entry)| entry.order()).min()
    }
}
