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
    /// How often each `Maybe` and `Visits` of the frame was entered, where somebody has to know.
    visits: Vec<(u32, u32)>,
    /// When each value was produced, where somebody has to know.
    orders: Vec<u32>,
}

impl Slots {
    pub(crate) fn new(base: u32, len: usize) -> Self {
        let mut slots = Vec::new();
        slots.resize_with(len, Slot::default);
        Slots { base, slots, ..Slots::default() }
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

    /// The number of the visit that begins.
    pub(crate) fn count(&mut self, node: u32) -> u32 {
        match self.visits.iter_mut().find(|(n, _)| *n == node) {
            Some((_, visits)) => {
                *visits += 1;
                *visits - 1
            }
            None => {
                self.visits.push((node, 1));
                0
            }
        }
    }

    /// Notes when a value was produced.
    pub(crate) fn mark(&mut self, index: u32, order: u32) {
        self.orders.resize(self.slots.len(), u32::MAX);
        self.orders[(index - self.base) as usize] = order;
    }

    /// When a value was produced.
    pub(crate) fn order(&self, index: u32) -> Option<u32> {
        let order = index.checked_sub(self.base).and_then(|i| self.orders.get(i as usize)).copied();
        order.filter(|order| *order != u32::MAX)
    }

    /// The visits of a `Maybe` or `Visits`.
    pub(crate) fn frames(&self, node: u32) -> &[Slots] {
        match self.get(node) {
            Slot::Frames(frames) => frames,
            _ => &[],
        }
    }

    /// Every slot with its index, and when it was produced.
    pub(crate) fn into_entries(self) -> (u32, impl Iterator<Item = (Slot, Option<u32>)>) {
        let mut orders = self.orders;
        orders.resize(self.slots.len(), u32::MAX);
        let orders = orders.into_iter().map(|order| (order != u32::MAX).then_some(order));
        (self.base, self.slots.into_iter().zip(orders))
    }

    /// A frame of the same extent, made of what `slot` and `reduced` make of each part.
    pub(crate) fn rebuilt(
        &self,
        mut slot: impl FnMut(u32, &Slot, &mut Vec<(usize, Slot)>) -> crate::Result<Slot>,
    ) -> crate::Result<Slots> {
        let mut reduced = Vec::new();
        let slots = (self.base..).zip(&self.slots).map(|(index, old)| slot(index, old, &mut reduced));
        let slots = slots.collect::<crate::Result<_>>()?;
        Ok(Slots { base: self.base, slots, reduced, ..Slots::default() })
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
