//! One run of a model: which sites it keeps, when it stops, and what it supplies or changes.

mod change;
mod keep;
mod reader;
mod slots;

use std::any::{Any, type_name};

pub(crate) use change::Changes;
pub(crate) use keep::compacted;
pub(crate) use keep::{Slot, detached};
pub use reader::Reader;
pub(crate) use slots::Slots;

use crate::names::Describe;
use crate::select::{Reducer, Wants};
use crate::site::{Layout, Site, Span};
use crate::{Error, Result};

/// The value is kept.
pub(crate) const KEEP: u8 = 1;
/// A reduction of the value is kept.
pub(crate) const REDUCE: u8 = 2;
/// The pass may stop once this value is known.
pub(crate) const AWAIT: u8 = 4;
/// The value is supplied or edited.
pub(crate) const CHANGE: u8 = 8;
/// The value was awaited, and is known.
const KNOWN: u8 = 16;

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
    changes: Changes,
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
}

impl<T: Clone + Any> Place<T> for Site<T> {
    fn put(&self, pass: &mut Pass<'_>, value: T) -> Option<T> {
        pass.put(self.index, value)
    }
}

/// The error that a stopped pass leaves the user's code with. Nobody sees it.
const STOPPED: &str = "the pass stopped early: everything that it was asked for is known";

impl<'r> Pass<'r> {
    /// A pass that keeps every value and runs to the end.
    pub(crate) fn keeping_all(layout: &Layout, model: &'r dyn Describe) -> Self {
        Pass::new(layout, vec![KEEP; layout.len as usize], model)
    }

    /// A pass that keeps what is wanted, and stops once it is known if nothing after it has effects.
    pub(crate) fn keeping(
        layout: &Layout,
        wants: Wants<'r>,
        may_stop: bool,
        attached: bool,
        model: &'r dyn Describe,
    ) -> Result<Self> {
        let (flags, reducers, awaited) = wants.plan(layout, model)?;
        let stopped = awaited == 0 && may_stop;
        Ok(Pass { reducers, awaited, may_stop, attached, stopped, ..Pass::new(layout, flags, model) })
    }

    fn new(layout: &Layout, flags: Vec<u8>, model: &'r dyn Describe) -> Self {
        Pass {
            flags,
            current: Slots::new(0, layout.len as usize),
            enclosing: Vec::new(),
            reducers: Vec::new(),
            awaited: 0,
            may_stop: false,
            attached: true,
            stopped: false,
            fault: None,
            changes: Changes::default(),
            model,
        }
    }

    /// Whether the run goes on.
    #[inline]
    pub fn on(&self) -> bool {
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

    /// A run with effects from here on (batch statistics, caches): it goes to the end, so that they are whole.
    pub fn touch_state(&mut self) {
        self.may_stop = false;
    }

    /// Sites and pass for a submodule that is called once, in straight-line code.
    #[inline]
    pub fn at<'s, S>(&mut self, sites: &'s S) -> At<'s, '_, 'r, S> {
        At { sites, pass: self }
    }

    /// Opens a frame: the values of one call or visit, kept apart from those of others.
    pub fn enter<'s, F: Frame>(&mut self, frame: &'s F) -> At<'s, '_, 'r, F::Inner> {
        let (span, inner) = frame.frame();
        self.open(span);
        At { sites: inner.expect("a model has no sites for what it has not"), pass: self }
    }

    fn open(&mut self, span: Span) {
        let wanted = self.flags[span.first as usize] & KEEP != 0;
        let frame =
            if wanted { Slots::new(span.first + 1, (span.end - span.first - 1) as usize) } else { Slots::default() };
        self.enclosing.push((std::mem::replace(&mut self.current, frame), span.first));
    }

    /// Closes the frame. `false` if the run is over.
    pub fn leave(&mut self) -> bool {
        let (outer, node) = self.enclosing.pop().expect("every frame that is left was entered");
        let frame = std::mem::replace(&mut self.current, outer);
        if self.flags[node as usize] & KEEP != 0 {
            self.current.push_frame(node, frame);
        }
        !self.stopped
    }

    /// A value that is known beforehand, so that the code that makes it is skipped.
    pub fn supplied<T: Clone + Any>(&mut self, site: &Site<T>) -> Option<T> {
        match self.flags[site.index as usize] & CHANGE {
            0 => None,
            _ => self.changes.supplied(site.index),
        }
    }

    /// A tapped value. What comes back flows on; `None` if the run is over.
    ///
    /// The value comes first, so that its type is what rustc calls wrong, and not something else's.
    #[inline]
    pub fn tap<T, P: Place<T>>(&mut self, value: T, place: &P) -> Option<T> {
        place.put(self, value)
    }

    /// The output of a model.
    pub fn output<T: Clone + Any, E: From<Error>>(
        &mut self,
        site: &Site<T>,
        result: std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        match self.put(site.index, result?) {
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

    pub(crate) fn put_in_frame<T: Clone + Any, F: Frame<Inner = Site<T>>>(&mut self, frame: &F, value: T) -> Option<T> {
        let (span, inner) = frame.frame();
        self.open(span);
        let value = inner.and_then(|site| self.put(site.index, value));
        self.leave();
        value
    }

    #[inline]
    pub(crate) fn put<T: Clone + Any>(&mut self, index: u32, mut value: T) -> Option<T> {
        if self.flags[index as usize] == 0 {
            return Some(value);
        }
        self.keep(index, &mut value, keep::slot::<T>, type_name::<T>()).then_some(value)
    }

    /// The part of [`put`](Self::put) that does not depend on the type, so that it is compiled once.
    #[inline(never)]
    fn keep(&mut self, index: u32, value: &mut dyn Any, slot: fn(&dyn Any, bool) -> Slot, type_name: &str) -> bool {
        match self.try_keep(index, value, slot, type_name) {
            Ok(()) => !self.stopped,
            Err(error) => {
                self.fail(error);
                false
            }
        }
    }

    fn try_keep(
        &mut self,
        index: u32,
        value: &mut dyn Any,
        slot: fn(&dyn Any, bool) -> Slot,
        type_name: &str,
    ) -> Result<()> {
        let flags = self.flags[index as usize];
        if flags & CHANGE != 0 {
            self.changes.apply(index, value, type_name)?;
        }
        if flags & KEEP != 0 && !self.current.put(index, slot(value, self.attached)) {
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
        if flags & AWAIT != 0 {
            self.known(index)?;
        }
        Ok(())
    }

    /// What is awaited stands in no frame: a run has one of it.
    fn known(&mut self, index: u32) -> Result<()> {
        if self.flags[index as usize] & KNOWN != 0 {
            return Err(self.produced_twice(index));
        }
        self.flags[index as usize] |= KNOWN;
        self.awaited -= 1;
        self.stopped |= self.awaited == 0 && self.may_stop;
        Ok(())
    }

    fn produced_twice(&self, index: u32) -> Error {
        let name = self.model.names().of(index);
        Error::Msg(format!(
            "`{name}` was produced twice in one run; mark the field it belongs to `#[model(repeated)]`, so that there is \
             one value a visit"
        ))
    }

    /// The values of a run that ended, and the error of one that failed.
    pub(crate) fn finish<T, E: From<Error>>(
        self,
        result: std::result::Result<T, E>,
    ) -> std::result::Result<Finished<'r, T>, E> {
        if let Some(fault) = self.fault {
            return Err(E::from(fault));
        }
        match result {
            Ok(output) => Ok(Finished { output: Some(output), slots: self.current, model: self.model }),
            // Frames that were open when the pass stopped hold nothing that was asked for.
            Err(_) if self.stopped => {
                let slots = self.enclosing.into_iter().next().map_or(self.current, |(outermost, _)| outermost);
                Ok(Finished { output: None, slots, model: self.model })
            }
            Err(error) => Err(error),
        }
    }
}

/// A run that ended.
pub(crate) struct Finished<'r, T> {
    /// `None` if the run stopped early.
    output: Option<T>,
    slots: Slots,
    model: &'r dyn Describe,
}

impl<T> Finished<'_, T> {
    /// What the model returned.
    pub(crate) fn into_output(self) -> Result<T> {
        self.output.ok_or_else(|| Error::Msg(STOPPED.to_owned()))
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader::new(&self.slots, self.model)
    }
}
