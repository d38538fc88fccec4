//! One run of a model: which sites it keeps, when it stops, and what it supplies or changes.

mod blame;
mod change;
mod configure;
mod finish;
mod frames;
mod given;
mod gradient;
mod keep;
mod nodes;
mod produced;
mod reader;
mod recorded;
mod replay;
mod slots;
mod value;

use std::any::Any;

pub(crate) use change::{Change, Changes, What};
pub(crate) use gradient::{Read, read as read_planted};
pub use keep::buffer;
pub(crate) use keep::compacted;
pub(crate) use keep::{Slot, detached};
pub(crate) use produced::Produced;
pub use reader::Reader;
pub(crate) use recorded::{Entry, Recorded};
pub(crate) use replay::Replay;
pub(crate) use slots::Slots;

use blame::{Call, Failed};
use change::Origin;

use crate::Error;
use crate::names::Describe;
use crate::select::Reducer;
use crate::site::{Layout, Site, Span};

/// The value is kept.
pub(crate) const KEEP: u8 = 1;
/// A reduction of the value is kept.
pub(crate) const REDUCE: u8 = 2;
/// The pass may stop once this value is known.
pub(crate) const AWAIT: u8 = 4;
/// The value is replaced or edited.
pub(crate) const CHANGE: u8 = 8;
/// The value was awaited, and is known.
const KNOWN: u8 = 16;
/// The loss is differentiated with respect to the value.
pub(crate) const PLANT: u8 = 32;
/// The pass looks at the value, whatever it does with it.
pub(crate) const LOOK: u8 = 64;
/// The value was produced, if the pass looks at it.
const SEEN: u8 = 128;

/// The engine of a run. Generated code hands it through the model and gives it every tapped value.
pub struct Pass<'r> {
    /// What is to be done at each site, by index.
    flags: Vec<u8>,
    /// Values of the innermost frame.
    current: Slots,
    /// Values of the enclosing frames, outermost first, and where the frame inside each belongs.
    enclosing: Vec<(Slots, u32)>,
    reducers: Vec<Reducer<'r>>,
    /// How many sites flagged `AWAIT` are still unknown.
    awaited: usize,
    may_stop: bool,
    attached: bool,
    stopped: bool,
    fault: Option<Error>,
    changes: Option<&'r Changes<'r>>,
    /// Which changes were made.
    reached: Vec<bool>,
    /// Changed sites that the run comes by before it ends.
    expected: Vec<u32>,
    /// The visits that the run is in, outermost first, where changes or a recording have to know.
    path: Option<Vec<(u32, u32)>>,
    replay: Option<Replay<'r>>,
    /// Where the value came from that is handed over next.
    given: Option<(u32, Origin)>,
    /// How many values were produced, where somebody has to know.
    order: Option<u32>,
    /// Whether later runs start from this one.
    recorded: bool,
    /// Whether the pass has effects, so that nothing may be left out.
    effects: bool,
    /// Whether the run is differentiated.
    differentiated: bool,
    /// The next tap is off the autograd graph on purpose.
    detached: bool,
    /// The first value that may have lost its gradient.
    suspect: Option<u32>,
    calls: Vec<Call>,
    /// The site of the last value.
    last: u32,
    failed: Option<Failed>,
    layout: &'r Layout,
    model: &'r dyn Describe,
}

/// Sites and pass, as a tapped forward gets them.
pub struct At<'s, 'p, 'r, S> {
    /// The sites of the callee.
    pub sites: &'s S,
    /// The run.
    pub pass: &'p mut Pass<'r>,
}

/// A container whose content belongs to one call or one visit.
pub trait Frame {
    #[doc(hidden)]
    type Inner;
    #[doc(hidden)]
    fn frame(&self) -> (Span, Option<&Self::Inner>);
}

/// A place that takes a tapped value: a plain, conditional or repeated site.
#[diagnostic::on_unimplemented(
    message = "the value of this tap is a `{T}`, and the tap is of another type",
    label = "this is a `{T}`",
    note = "a tap is a `Tensor` unless its `let` names a type: add the missing `?`, tap a `.clone()` of a reference, or write `let name: Type = …`"
)]
pub trait Place<T> {
    #[doc(hidden)]
    fn put(&self, pass: &mut Pass<'_>, value: T) -> Option<T>;

    /// A value that is known beforehand. In a frame there is none before the frame is entered.
    #[doc(hidden)]
    fn known(&self, _pass: &mut Pass<'_>) -> Option<T> {
        None
    }
}

impl<T: Clone + Any> Place<T> for Site<T> {
    fn put(&self, pass: &mut Pass<'_>, value: T) -> Option<T> {
        pass.put_tapped(self.index, value)
    }

    fn known(&self, pass: &mut Pass<'_>) -> Option<T> {
        pass.given_at(self.index)
    }
}

/// The error that a stopped pass leaves the user's code with. Nobody sees it.
const STOPPED: &str = "the pass stopped early: everything that it was asked for is known";

impl<'r> Pass<'r> {
    /// Whether everything that is wanted is known.
    pub(crate) fn is_over(&self) -> bool {
        self.stopped
    }

    /// A call has returned. Whether the run goes on.
    #[inline]
    pub fn on(&mut self) -> bool {
        self.called();
        !self.stopped
    }

    /// Leaves the user's code: everything wanted is known, or something went wrong that the pass remembers.
    pub fn halt<T, E: From<Error>>(&mut self) -> std::result::Result<T, E> {
        Err(E::from(Error::Msg(STOPPED.to_owned())))
    }

    fn fail(&mut self, error: Error) {
        self.stopped = true;
        self.fault.get_or_insert(error);
    }

    /// A run with effects from here on (batch statistics, randomness): it goes to the end, so that they are whole, and it
    /// can't be recorded.
    pub(crate) fn touch_state(&mut self, site: u32, layer: &str) {
        self.may_stop = false;
        self.touch_randomness(site, layer);
    }

    /// A run whose values can't be had a second time.
    pub(crate) fn touch_randomness(&mut self, site: u32, layer: &str) {
        if self.recorded || self.replay.is_some() {
            let name = self.model.names().of(site);
            self.fail(Error::Msg(format!(
                "`{name}` ({layer}) behaves as in training, with effects or randomness, so that a run of it can't be \
                 recorded; record it in evaluation"
            )));
        }
    }

    /// Sites and pass for a submodule that is called once, in straight-line code.
    #[inline]
    pub fn at<'s, S>(&mut self, sites: &'s S) -> At<'s, '_, 'r, S> {
        self.call();
        At { sites, pass: self }
    }

    /// What is called has begun. A value that is known beforehand, so that the code that makes it is skipped.
    #[inline]
    pub fn supplied<T: Clone + Any>(&mut self, site: &Site<T>) -> Option<T> {
        self.begun(site.index);
        self.given_at(site.index)
    }

    /// A tapped value. What comes back flows on; `None` if the run is over.
    ///
    /// The value comes first, so that its type is what rustc calls wrong, and not something else's.
    #[inline]
    pub fn tap<T, P: Place<T>>(&mut self, value: T, place: &P) -> Option<T> {
        place.put(self, value)
    }

    /// A tapped value that is off the autograd graph on purpose.
    pub fn tap_detached<T, P: Place<T>>(&mut self, value: T, place: &P) -> Option<T> {
        self.detached = true;
        place.put(self, value)
    }

    /// What a layer that taper knows nothing of gives, if it is known beforehand.
    pub fn known<T, P: Place<T>>(&mut self, place: &P) -> Option<T> {
        place.known(self)
    }

    /// The output of a model.
    pub fn output<T: Clone + Any, E: From<Error>>(
        &mut self,
        site: &Site<T>,
        result: std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let value = result?;
        self.returned();
        match self.put_tapped(site.index, value) {
            Some(value) => Ok(value),
            None => self.halt(),
        }
    }

    /// The result of a layer that taper knows nothing of.
    pub fn leaf<T, E, P: Place<T>>(
        &mut self,
        place: &P,
        result: std::result::Result<T, E>,
    ) -> Option<std::result::Result<T, E>> {
        match result {
            Ok(value) => self.tap(value, place).map(Ok),
            Err(error) => Some(Err(error)),
        }
    }

    /// The sites of an element that was found by its address.
    pub fn found<'a, S, C: ?Sized>(&mut self, found: Option<(&'a S, &'a C)>, field: &str) -> Option<&'a S> {
        if found.is_none() {
            self.fail(Error::Msg(format!(
                "an element of `{field}` was called that is not to be found in the field by its address: elements \
                 without a size, equal `Arc`s and copies can't be told apart; call the elements of the field themselves"
            )));
        }
        found.map(|(sites, _)| sites)
    }
}
