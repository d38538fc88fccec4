//! A site by itself, with what a run may skip or repeat around it: for models whose sites are no types.

use std::any::Any;

use super::{Site, Span};
use crate::Result;
use crate::pass::{Frame, Reader};
use crate::select::{Aims, Selection, Targets, Wants};

/// A value, and the visits in which it was produced: those of every loop around it, outermost first.
#[derive(Clone, Debug)]
pub struct Visited<T> {
    /// None for a value that is in no loop. In a change, fewer than there are loops mean all visits of the others.
    pub visits: Vec<u32>,
    /// The value.
    pub value: T,
}

/// A `Maybe` or `Visits` around a site.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    node: u32,
    repeated: bool,
    visit: Option<isize>,
}

impl Around {
    /// What a run may skip.
    pub fn maybe(frame: &impl Frame) -> Self {
        Around { node: frame.frame().0.first, repeated: false, visit: None }
    }

    /// What a run may repeat. All visits are meant, or one: from the end if negative.
    pub fn visits(frame: &impl Frame, visit: Option<isize>) -> Self {
        Around { node: frame.frame().0.first, repeated: true, visit }
    }
}

/// A site with what is around it, outermost first. Its value is a list: every visit in order of production, and nothing
/// where the run did not come by.
#[derive(Clone, Debug)]
pub struct Framed<T> {
    site: Site<T>,
    around: Vec<Around>,
}

impl<T> Framed<T> {
    /// The site inside these.
    pub fn new(site: Site<T>, around: Vec<Around>) -> Self {
        Framed { site, around }
    }

    fn span(&self, index: u32) -> Span {
        Span { first: index, end: index + 1, tree: self.site.tree }
    }
}

impl<T: Clone + Any> Selection for Framed<T> {
    type Value = Vec<Visited<T>>;

    fn want<'s>(&'s self, wants: &mut Wants<'s>) {
        self.around.iter().for_each(|around| wants.frame(self.span(around.node)));
        wants.span(self.span(self.site.index));
    }

    fn read(&self, reader: &Reader<'_>) -> Result<Self::Value> {
        let mut readers: Vec<(Vec<u32>, Reader<'_>)> = vec![(Vec::new(), *reader)];
        for around in &self.around {
            let mut inside = Vec::new();
            for (visits, reader) in readers {
                let frames = reader.frames(around.node);
                let meant = around.visit.map(|visit| match visit {
                    0.. => visit.unsigned_abs(),
                    // Before the first there is none.
                    _ => frames.len().checked_add_signed(visit).unwrap_or(usize::MAX),
                });
                for (visit, frame) in (0..).zip(frames) {
                    if meant.is_some_and(|meant| meant != visit as usize) {
                        continue;
                    }
                    let own = around.repeated.then_some(visit);
                    inside.push((visits.iter().copied().chain(own).collect(), reader.within(frame)));
                }
            }
            readers = inside;
        }
        let values = readers.into_iter().map(|(visits, reader)| {
            let value = reader.value(self.site.index)?;
            Ok(Visited { visits, value })
        });
        values.collect()
    }
}

impl<T: Clone + Any> Framed<T> {
    fn aim<'v>(&self, visits: &[u32], value: Option<&'v T>, aims: &mut Aims<'v, T>) {
        let mut visits = visits.iter().map(|visit| *visit as isize);
        let repeated = self.around.iter().filter(|around| around.repeated);
        let meant: Vec<_> =
            repeated.filter_map(|around| Some((around.node, visits.next().or(around.visit)?))).collect();
        within(&meant, self.span(self.site.index), value, aims);
    }
}

fn within<'v, T>(visits: &[(u32, isize)], site: Span, value: Option<&'v T>, aims: &mut Aims<'v, T>) {
    match visits {
        [(node, visit), rest @ ..] => aims.visit(*node, *visit, |aims| within(rest, site, value, aims)),
        [] => aims.site(site, value),
    }
}

impl<T: Clone + Any> Targets for Framed<T> {
    type Item = T;

    fn targets<'v>(&self, values: Option<&'v Self::Value>, aims: &mut Aims<'v, T>) {
        match values {
            None => self.aim(&[], None, aims),
            Some(values) => values.iter().for_each(|Visited { visits, value }| self.aim(visits, Some(value), aims)),
        }
    }
}
