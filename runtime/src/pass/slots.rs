//! The values of one frame of a run.

use super::Slot;

/// The values of one frame: the whole run, one call of a conditional or repeated submodule, or one visit of a tap.
#[derive(Default)]
pub(crate) struct Slots {
    /// Index of the first site of the frame.
    base: u32,
    slots: Vec<Slot>,
    /// What `.map` made of a value, by the address of the selection that asked for it.
    reduced: Vec<(usize, Slot)>,
}

impl Slots {
    pub(crate) fn new(base: u32, len: usize) -> Self {
        let mut slots = Vec::new();
        slots.resize_with(len, Slot::default);
        Slots { base, slots, reduced: Vec::new() }
    }

    fn slot(&mut self, index: u32) -> &mut Slot {
        &mut self.slots[(index - self.base) as usize]
    }

    /// `false` if there was a value already.
    pub(crate) fn put(&mut self, index: u32, value: Slot) -> bool {
        let slot = self.slot(index);
        let free = matches!(slot, Slot::Empty);
        if free {
            *slot = value;
        }
        free
    }

    pub(crate) fn put_reduced(&mut self, key: usize, value: Slot) -> bool {
        let free = self.reduced(key).is_none();
        if free {
            self.reduced.push((key, value));
        }
        free
    }

    pub(crate) fn push_frame(&mut self, index: u32, frame: Slots) {
        match self.slot(index) {
            Slot::Frames(frames) => frames.push(frame),
            slot => *slot = Slot::Frames(vec![frame]),
        }
    }

    pub(crate) fn get(&self, index: u32) -> &Slot {
        let place = index.checked_sub(self.base).and_then(|i| self.slots.get(i as usize));
        place.unwrap_or(&Slot::Empty)
    }

    pub(crate) fn reduced(&self, key: usize) -> Option<&Slot> {
        self.reduced.iter().find(|(k, _)| *k == key).map(|(_, slot)| slot)
    }
}
