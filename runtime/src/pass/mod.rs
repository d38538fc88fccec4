//! One run of a model: which sites it keeps, when it stops, and what it supplies or changes.

mod blame;
mod change;
mod gradient;
mod keep;
mod reader;
mod recorded;
mod replay;
mod slots;

use std::any::Any;

pub(crate) use change::{Change, Changes, What};
pub(crate) use gradient::{Read, read as read_planted};
pub(crate) use keep::compacted;
pub(crate) use keep::{Slot, detached};
pub use reader::Reader;
pub(crate) use recorded::{Entry, Recorded};
pub(crate) use replay::Replay;
pub(crate) use slots::Slots;

use blame::{Call, Failed};
use change::Origin;

use crate::names::Describe;
use crate::select::Reducer;
use crate::site::{Layout, Site, Span};
use crate::{Error, Result};

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
    /// The visits that the run is in, outermost first, where changes or a recording have to know.
    path: Option<Vec<(u32, u32)>>,
    replay: Option<Replay<'r>>,
    /// Where the value came from that is handed over next.
    given: Option<(u32, Origin)>,
    /// How many values were produced, in a run that is recorded.
    order: Option<u32>,
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
    /// A pass that does at each site what its flags say, and runs to the end.
    pub(crate) fn new(layout: &'r Layout, flags: Vec<u8>, model: &'r dyn Describe) -> Self {
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
            changes: None,
            reached: Vec::new(),
            path: None,
            replay: None,
            given: None,
            order: None,
            effects: false,
            differentiated: false,
            detached: false,
            suspect: None,
            calls: Vec::new(),
            last: u32::MAX,
            failed: None,
            layout,
            model,
        }
    }

    /// Reduces values as they are produced.
    pub(crate) fn reducing(self, reducers: Vec<Reducer<'r>>, attached: bool) -> Self {
        Pass { reducers, attached, ..self }
    }

    /// Stops once as many values as that are known, if nothing after them has effects.
    pub(crate) fn stopping(self, awaited: usize) -> Self {
        let may_stop = !self.effects;
        Pass { awaited, may_stop, stopped: awaited == 0 && may_stop, ..self }
    }

    /// Leaves out nothing: the model has effects beside its values.
    pub(crate) fn with_effects(self, effects: bool) -> Self {
        Pass { effects, ..self }
    }

    /// Makes changes.
    pub(crate) fn changing(mut self, changes: &'r Changes<'r>) -> Self {
        for change in changes.iter() {
            self.flags[change.index as usize] |= CHANGE;
            // Once they are over, the run can't come to the change any more.
            self.layout.scopes_around(change.index).for_each(|output| self.flags[output as usize] |= LOOK);
        }
        self.reached = vec![false; changes.iter().len()];
        self.path = Some(Vec::new());
        Pass { changes: Some(changes), ..self }
    }

    /// Reuses a recording.
    pub(crate) fn replaying(self, replay: Replay<'r>) -> Self {
        Pass { replay: Some(replay), path: Some(Vec::new()), ..self }
    }

    /// Notes when every value is produced.
    pub(crate) fn recording(mut self) -> Self {
        self.flags.iter_mut().for_each(|flags| *flags |= LOOK);
        Pass { order: Some(0), path: Some(Vec::new()), ..self }
    }

    /// Plants a `Var` where a flag says so, and looks at every value for whether it is still on the autograd graph.
    pub(crate) fn differentiated(mut self) -> Self {
        self.flags.iter_mut().for_each(|flags| *flags |= LOOK);
        Pass { differentiated: true, ..self }
    }

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
        if self.order.is_some() || self.replay.is_some() {
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

    /// Opens a frame: the values of one call or visit, kept apart from those of others.
    pub fn enter<'s, F: Frame>(&mut self, frame: &'s F) -> At<'s, '_, 'r, F::Inner> {
        let (span, inner) = frame.frame();
        self.open(span);
        self.call();
        At { sites: inner.expect("a model has no sites for what it has not"), pass: self }
    }

    fn open(&mut self, span: Span) {
        if self.path.is_some() {
            self.count(span.first);
        }
        let wanted = self.flags[span.first as usize] & (KEEP | LOOK) != 0;
        // The visits of inner frames are counted in the frame, whether it keeps anything or not.
        let frame =
            if wanted { Slots::new(span.first + 1, (span.end - span.first - 1) as usize) } else { Slots::default() };
        self.enclosing.push((std::mem::replace(&mut self.current, frame), span.first));
    }

    #[cold]
    fn count(&mut self, node: u32) {
        let visit = self.current.count(node);
        self.path.get_or_insert_default().push((node, visit));
        if let Some(replay) = &mut self.replay {
            replay.enter(node, visit);
        }
    }

    /// Closes the frame, its call having returned. `false` if the run is over.
    pub fn leave(&mut self) -> bool {
        self.called();
        self.close();
        !self.stopped
    }

    fn close(&mut self) {
        let (outer, node) = self.enclosing.pop().expect("every frame that is left was entered");
        let frame = std::mem::replace(&mut self.current, outer);
        if self.flags[node as usize] & (KEEP | LOOK) != 0 {
            self.current.push_frame(node, frame);
        }
        if let Some(path) = &mut self.path {
            path.pop();
        }
        if let Some(replay) = &mut self.replay {
            replay.leave();
        }
    }

    /// What is called has begun. A value that is known beforehand, so that the code that makes it is skipped.
    #[inline]
    pub fn supplied<T: Clone + Any>(&mut self, site: &Site<T>) -> Option<T> {
        self.begun(site.index);
        self.given_at(site.index)
    }

    fn given_at<T: Clone + Any>(&mut self, index: u32) -> Option<T> {
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
            self.given = Some((index, Origin::Replaced));
            return Some(value);
        }
        self.recorded(index).unwrap_or_else(|error| {
            self.fail(error);
            None
        })
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

    pub(crate) fn put_in_frame<T: Clone + Any, F: Frame<Inner = Site<T>>>(&mut self, frame: &F, value: T) -> Option<T> {
        let (span, inner) = frame.frame();
        self.open(span);
        let value = inner.and_then(|site| self.put_tapped(site.index, value));
        self.close();
        value
    }

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

    fn at_site(&self, index: u32, error: Error) -> Error {
        let name = self.model.names().of(index);
        Error::Wrapped(Box::new(format!("at `{name}`: {error}")))
    }

    /// What is awaited stands in no frame: a run has one of it.
    fn now_known(&mut self, index: u32) -> Result<()> {
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

    /// What stands there does not run. The changes of a recorded run in it were made when it was recorded, or are left out
    /// with what they change.
    fn leave_out(&mut self, indices: std::ops::Range<u32>) {
        let Some(changes) = self.changes else { return };
        let path = self.path.as_deref().unwrap_or_default();
        for (change, reached) in changes.iter().zip(&mut self.reached) {
            let here = |(node, visit): &(u32, u32)| indices.contains(node) || path.contains(&(*node, *visit));
            *reached |= change.inherited && indices.contains(&change.index) && change.visits.iter().all(here);
        }
    }

    /// A change that was not made is an error, unless it says that it may be left out. A run that stopped early knows
    /// nothing of what would have come: only what it passed by can't come any more.
    fn all_reached(&self) -> Result<()> {
        let Some(changes) = self.changes else { return Ok(()) };
        let seen = |output: u32| self.flags[output as usize] & SEEN != 0;
        let passed = |change: &Change<'_>| !self.stopped || self.layout.scopes_around(change.index).any(seen);
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
