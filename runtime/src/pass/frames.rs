//! Frames: the values of one call or visit, kept apart from those of others.

use std::any::Any;
use std::mem;

use super::{At, Frame, KEEP, LOOK, Pass, Slots};
use crate::site::{Site, Span};

impl<'r> Pass<'r> {
    /// Opens a frame: the values of one call or visit, kept apart from those of others.
    pub fn enter<'s, F: Frame>(&mut self, frame: &'s F) -> At<'s, '_, 'r, F::Inner> {
        let (span, inner) = frame.frame();
        self.open(span);
        self.call();
        At { sites: inner.expect("a model has no sites for what it has not"), pass: self }
    }

    pub(super) fn open(&mut self, span: Span) {
        if self.path.is_some() {
            self.count(span.first);
        }
        let wanted = self.flags[span.first as usize] & (KEEP | LOOK) != 0;
        // The visits of inner frames are counted in the frame, whether it keeps anything or not.
        let frame =
            if wanted { Slots::new(span.first + 1, (span.end - span.first - 1) as usize) } else { Slots::default() };
        self.enclosing.push((mem::replace(&mut self.current, frame), span.first));
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

    pub(super) fn close(&mut self) {
        let (outer, node) = self.enclosing.pop().expect("every frame that is left was entered");
        let frame = mem::replace(&mut self.current, outer);
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

    pub(crate) fn put_in_frame<T: Clone + Any, F: Frame<Inner = Site<T>>>(&mut self, frame: &F, value: T) -> Option<T> {
        let (span, inner) = frame.frame();
        self.open(span);
        let value = inner.and_then(|site| self.put_tapped(site.index, value));
        self.close();
        value
    }
}
