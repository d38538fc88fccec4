//! What a pass is to do, put together before it runs.

use super::change::Changes;
use super::replay::Replay;
use super::slots::Slots;
use super::{CHANGE, LOOK, Pass};
use crate::names::Describe;
use crate::select::Reducer;
use crate::site::Layout;

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
            expected: Vec::new(),
            path: None,
            replay: None,
            given: None,
            order: None,
            recorded: false,
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
    pub(crate) fn in_order(mut self) -> Self {
        self.flags.iter_mut().for_each(|flags| *flags |= LOOK);
        Pass { order: Some(0), ..self }
    }

    /// Notes when every value is produced, for later runs to start from.
    pub(crate) fn recording(self) -> Self {
        Pass { recorded: true, path: Some(Vec::new()), ..self.in_order() }
    }

    /// Plants a `Var` where a flag says so, and looks at every value for whether it is still on the autograd graph.
    pub(crate) fn differentiated(mut self) -> Self {
        self.flags.iter_mut().for_each(|flags| *flags |= LOOK);
        Pass { differentiated: true, ..self }
    }
}
