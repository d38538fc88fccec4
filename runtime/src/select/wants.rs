//! Gathers what a selection asks for, and works out when a run may stop.

use crate::names::Describe;
use crate::pass::{AWAIT, KEEP, REDUCE};
use crate::select::map::Reduce;
use crate::site::{BEYOND, Layout, Span};
use crate::{Error, Result};

/// What a selection asks for, while it is gathered.
pub struct Wants<'s> {
    tree: u64,
    flags: Vec<u8>,
    reducers: Vec<Reducer<'s>>,
    /// The first site that does not belong to the model.
    stranger: Option<(u32, u64)>,
    /// The error of a look-up that is part of the selection.
    failed: Option<String>,
}

/// A reduction at a site.
#[derive(Clone, Copy)]
pub(crate) struct Reducer<'s> {
    pub(crate) index: u32,
    /// Where the reduced value is kept.
    pub(crate) key: usize,
    pub(crate) reduce: &'s dyn Reduce,
}

impl<'s> Wants<'s> {
    pub(crate) fn new(layout: &Layout) -> Self {
        Wants {
            tree: layout.fingerprint,
            flags: vec![0; layout.len as usize],
            reducers: Vec::new(),
            stranger: None,
            failed: None,
        }
    }

    fn belongs(&mut self, index: u32, tree: u64) -> bool {
        let belongs = tree == self.tree;
        if !belongs {
            self.stranger.get_or_insert((index, tree));
        }
        belongs
    }

    pub(crate) fn fail(&mut self, error: &Error) {
        self.failed.get_or_insert_with(|| error.to_string());
    }

    /// All values of a range of sites.
    pub(crate) fn span(&mut self, span: Span) {
        if span.first < span.end && self.belongs(span.first, span.tree) {
            self.flags[span.first as usize..span.end as usize].iter_mut().for_each(|f| *f |= KEEP);
        }
    }

    /// The visits of a frame, whatever is kept of each.
    pub(crate) fn frame(&mut self, span: Span) {
        self.span(Span { end: span.first + 1, ..span });
    }

    pub(crate) fn reduce(&mut self, index: u32, tree: u64, key: usize, reduce: &'s dyn Reduce) {
        if self.belongs(index, tree) {
            self.flags[index as usize] |= REDUCE;
            self.reducers.push(Reducer { index, key, reduce });
        }
    }

    /// Flags, reductions, and how many values a run must await before it may stop.
    pub(crate) fn plan(mut self, layout: &Layout, model: &dyn Describe) -> Result<(Vec<u8>, Vec<Reducer<'s>>, usize)> {
        if let Some(error) = self.failed {
            return Err(Error::Msg(error));
        }
        if let Some((index, tree)) = self.stranger {
            return Err(stranger(index, tree, model));
        }
        self.check_frames(layout, model)?;
        let mut awaited = Vec::new();
        let mut index = 0;
        for &(first, end) in &layout.frames {
            // A frame inside another was passed over with it.
            if first < index {
                continue;
            }
            awaited.extend((index..first).filter(|&i| self.wanted(i)));
            // What stands in a frame is complete at the end of the call that bounds the frame: the output to await.
            awaited.extend(self.wanted(first).then(|| layout.scope_end(first)));
            index = end;
        }
        awaited.extend((index..layout.len).filter(|&i| self.wanted(i)));
        awaited.sort_unstable();
        awaited.dedup();
        for &index in &awaited {
            self.flags[index as usize] |= AWAIT;
        }
        Ok((self.flags, self.reducers, awaited.len()))
    }

    fn wanted(&self, index: u32) -> bool {
        self.flags[index as usize] != 0
    }

    /// What stands in a frame is wanted through the frame only.
    fn check_frames(&self, layout: &Layout, model: &dyn Describe) -> Result<()> {
        let closed = layout.frames.iter().filter(|(first, _)| !self.wanted(*first));
        for &(first, end) in closed {
            if let Some(inside) = (first + 1..end).find(|&i| self.wanted(i)) {
                return Err(Error::Msg(format!(
                    "`{}` stands in what a run may skip or repeat; select it through `.map` or `.each` of `{}`",
                    model.names().of(inside),
                    model.names().of(first),
                )));
            }
        }
        Ok(())
    }
}

/// A site that is not one of the model's.
pub(crate) fn stranger(index: u32, tree: u64, model: &dyn Describe) -> Error {
    let names = model.names();
    Error::Msg(match (tree == BEYOND).then(|| names.each(index)).flatten() {
        Some((field, len)) => format!("`{field}.at(..)` is out of range: `{field}` has {len} elements"),
        None => format!(
            "a site of another model was used on a `{}`; sites belong to models of one type with equal numbers of layers: \
             take it from the closure's argument or from this model's `sites()`",
            model.type_name(),
        ),
    })
}
