//! What a graph may ask for while it runs: every limit, in one place. What a file may ask for while it is opened is in
//! `taper-saved-structure`'s own `limits`.
//!
//! A few bytes can ask for a tensor of any size, for a thousand of them at once, and for a loop without end. Three things
//! stand in the way:
//!
//! - **one value**: an operation asks for room before it makes more elements than go in (`ops/room.rs`);
//! - **all values of a run**: what is held at the same time is counted (`run/memory.rs`), against what the machine has left,
//!   or against what [`Run::memory_limit`](crate::Run::memory_limit) says;
//! - **time**: the steps of all loops of a run are counted ([`Run::step_limit`](crate::Run::step_limit)), no operation looks at
//!   a great many places one by one, and a run can be stopped before every node ([`Run::stop_when`](crate::Run::stop_when)).

use std::fmt;
use std::sync::Arc;

/// The most elements that one value may have: 8 GiB of floats.
pub(crate) const ELEMENTS: usize = 1 << 31;

/// Bytes that are made without asking whether there are as many: asking takes longer than making fewer.
pub(crate) const UNASKED: usize = 1 << 23;

/// Bytes from which on the machine is asked how much memory it has left, because Linux gives more than it has.
pub(crate) const GREAT: usize = 1 << 28;

/// Elements that an operation may give beside as many as go in: a shape of a number, say.
pub(crate) const FEW: usize = 64;

/// More numbers than any tensor has sizes: a shape, a list of axes.
pub(crate) const NUMBERS: usize = 1 << 16;

/// The most tensors that one operation makes: the elements of a list, the parts that a value is taken apart into, the
/// places of a window that are looked at one after the other. More of them is work for a loop over elements.
pub(crate) const TENSORS: usize = 1 << 20;

/// Strides, dilations and sizes of windows, along each axis, are less.
pub(crate) const WINDOW: i64 = 1 << 20;

/// How many elements of a constant the file may leave out for each that it gives, the last being repeated; of a constant of
/// one value all are left out, and none takes memory.
pub(crate) const REPEATED: usize = 64;

/// The most parts that a weight is saved in. Each is compared with all others.
pub(crate) const SLICES: usize = 1 << 12;

/// The steps that all loops of a run may make together, unless it says otherwise.
pub(crate) const STEPS: usize = 1 << 24;

/// The most values of loops that a run keeps for those that ask for them, and places for those that they do not ask for.
pub(crate) const KEPT: usize = 1 << 21;

/// Bytes that a run makes before what it holds is counted.
pub(crate) const UNCOUNTED: usize = 1 << 28;

/// Of what the machine has left, the part that is left to others.
pub(crate) const SPARE: usize = 16;

/// Where the machine does not tell: what a run may hold, and how often the bytes of the weights and inputs beside it.
pub(crate) const UNTOLD: (usize, usize) = (1 << 33, 64);

/// What a run was told that it may take.
#[derive(Clone)]
pub(crate) struct Allowed {
    /// Bytes that its values may take at the same time.
    pub(crate) memory: Option<usize>,
    /// Steps of all its loops.
    pub(crate) steps: usize,
    /// Whether it is to end at once.
    pub(crate) stop: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl Allowed {
    /// The same until something else says so.
    pub(crate) fn until(self, stop: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Allowed { stop: Some(Arc::new(stop)), ..self }
    }

    /// Whether it is to end at once.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop())
    }
}

impl Default for Allowed {
    fn default() -> Self {
        Allowed { memory: None, steps: STEPS, stop: None }
    }
}

impl fmt::Debug for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Allowed { memory, steps, stop } = self;
        write!(f, "{memory:?} bytes, {steps} steps, {}", if stop.is_some() { "can be stopped" } else { "not stopped" })
    }
}
