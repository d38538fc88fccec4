//! What a run may produce any number of times.

use std::any::Any;

use super::{Site, Span, Tree};
use crate::pass::{Frame, Pass, Place, Reader, Slots};
use crate::select::{Aims, Selection, Targets, Wants};
use crate::taps::Visitor;
use crate::{Error, Result};

/// The sites of what stands in a loop or is called at several places. Its value is a `Vec`, one element a visit, in
/// order of production.
#[derive(Clone, Debug)]
pub struct Visits<S> {
    pub(crate) span: Span,
    /// `None` where the model itself has no such submodule.
    pub(crate) inner: Option<S>,
}

impl<S> Visits<S> {
    /// What stands in a frame that was built by itself.
    #[doc(hidden)]
    pub fn of(frame: &impl Frame, inner: S) -> Self {
        Visits { span: frame.frame().0, inner: Some(inner) }
    }

    /// Selects inside every visit: `t.shared.each(|s| s.output)`.
    pub fn each<R: Selection>(self, select: impl FnOnce(S) -> R) -> VisitsSelection<R> {
        VisitsSelection { span: self.span, inner: self.inner.map(select) }
    }

    /// One visit, counted from the end if negative. A run with fewer visits is an error that says how many there were.
    pub fn at(self, visit: isize) -> Visit<S> {
        Visit { visits: self, visit }
    }
}

impl<S> Frame for Visits<S> {
    type Inner = S;

    fn frame(&self) -> (Span, Option<&S>) {
        (self.span, self.inner.as_ref())
    }
}

impl<T: Clone + Any> Place<T> for Visits<Site<T>> {
    fn put(&self, pass: &mut Pass<'_>, value: T) -> Option<T> {
        pass.put_in_frame(self, value)
    }
}

impl<S: Tree> Tree for Visits<S> {
    type Value = Vec<S::Value>;
    type Item = S::Item;

    fn aim<'v>(&self, values: Option<&'v Self::Value>, aims: &mut Aims<'v, S::Item>) {
        aim_at(self.span, self.inner.as_ref(), values, aims);
    }

    fn span(&self) -> Span {
        self.span
    }

    fn read_taps(&self, reader: &Reader<'_>) -> Result<Self::Value> {
        read_all(self.span, self.inner.as_ref(), reader, S::read_taps)
    }

    fn visit(value: &Self::Value, visitor: &mut Visitor<'_>) {
        for (i, visit) in value.iter().enumerate() {
            visitor.element::<S>(i, visit);
        }
    }
}

fn read_all<S, V>(
    span: Span,
    inner: Option<&S>,
    reader: &Reader<'_>,
    read: impl Fn(&S, &Reader<'_>) -> Result<V>,
) -> Result<Vec<V>> {
    let Some(inner) = inner else { return Ok(Vec::new()) };
    let frames = reader.frames(span.first);
    frames.iter().map(|frame| read(inner, &reader.within(frame))).collect()
}

/// With values, one a visit; else all visits.
fn aim_at<'v, S: Targets>(
    span: Span,
    inner: Option<&S>,
    values: Option<&'v Vec<S::Value>>,
    aims: &mut Aims<'v, S::Item>,
) {
    match inner {
        Some(inner) => aims.visits(span.first, values, |aims, value| inner.targets(value, aims)),
        // The model has no such submodule: a change there is never reached.
        None => aims.site(span, None),
    }
}

/// What [`Visits::each`] selects.
#[derive(Clone, Debug)]
pub struct VisitsSelection<R> {
    span: Span,
    inner: Option<R>,
}

impl<R: Selection> Selection for VisitsSelection<R> {
    type Value = Vec<R::Value>;

    fn want<'s>(&'s self, wants: &mut Wants<'s>) {
        wants.frame(self.span);
        if let Some(inner) = &self.inner {
            inner.want(wants);
        }
    }

    fn read(&self, reader: &Reader<'_>) -> Result<Self::Value> {
        read_all(self.span, self.inner.as_ref(), reader, R::read)
    }
}

/// One visit of a [`Visits`]: what [`Visits::at`] gives.
#[derive(Clone, Debug)]
pub struct Visit<S> {
    visits: Visits<S>,
    visit: isize,
}

impl<S> Visit<S> {
    /// Selects inside the visit: `t.shared.at(5).select(|s| s.output)`.
    pub fn select<R: Selection>(self, select: impl FnOnce(S) -> R) -> VisitSelection<R> {
        VisitSelection { selection: self.visits.each(select), visit: self.visit }
    }
}

impl<S: Tree> Selection for Visit<S> {
    type Value = S::Value;

    fn want<'s>(&'s self, wants: &mut Wants<'s>) {
        wants.span(self.visits.span);
    }

    fn read(&self, reader: &Reader<'_>) -> Result<Self::Value> {
        read_one(self.visits.span, self.visits.inner.as_ref(), reader, self.visit, S::read_taps)
    }
}

/// What [`Visit::select`] selects.
#[derive(Clone, Debug)]
pub struct VisitSelection<R> {
    selection: VisitsSelection<R>,
    visit: isize,
}

impl<R: Selection> Selection for VisitSelection<R> {
    type Value = R::Value;

    fn want<'s>(&'s self, wants: &mut Wants<'s>) {
        self.selection.want(wants);
    }

    fn read(&self, reader: &Reader<'_>) -> Result<Self::Value> {
        read_one(self.selection.span, self.selection.inner.as_ref(), reader, self.visit, R::read)
    }
}

fn read_one<S, V>(
    span: Span,
    inner: Option<&S>,
    reader: &Reader<'_>,
    visit: isize,
    read: impl Fn(&S, &Reader<'_>) -> Result<V>,
) -> Result<V> {
    let frames: &[Slots] = reader.frames(span.first);
    let place = if visit < 0 { frames.len().checked_add_signed(visit) } else { Some(visit.unsigned_abs()) };
    match (place.and_then(|i| frames.get(i)), inner) {
        (Some(frame), Some(inner)) => read(inner, &reader.within(frame)),
        _ => {
            let name = reader.name(span.first);
            Err(Error::Msg(format!("visit {visit} of `{name}` was asked for, and the run made {}", frames.len())))
        }
    }
}

impl<R: Targets> Targets for VisitsSelection<R> {
    type Item = R::Item;

    fn targets<'v>(&self, values: Option<&'v Self::Value>, aims: &mut Aims<'v, R::Item>) {
        aim_at(self.span, self.inner.as_ref(), values, aims);
    }
}

fn aim_at_one<'v, S: Targets>(
    span: Span,
    inner: Option<&S>,
    visit: isize,
    value: Option<&'v S::Value>,
    aims: &mut Aims<'v, S::Item>,
) {
    aims.visit(span.first, visit, |aims| match inner {
        Some(inner) => inner.targets(value, aims),
        None => aims.site(span, None),
    });
}

impl<S: Tree> Targets for Visit<S> {
    type Item = S::Item;

    fn targets<'v>(&self, value: Option<&'v Self::Value>, aims: &mut Aims<'v, S::Item>) {
        aim_at_one(self.visits.span, self.visits.inner.as_ref(), self.visit, value, aims);
    }
}

impl<R: Targets> Targets for VisitSelection<R> {
    type Item = R::Item;

    fn targets<'v>(&self, value: Option<&'v Self::Value>, aims: &mut Aims<'v, R::Item>) {
        aim_at_one(self.selection.span, self.selection.inner.as_ref(), self.visit, value, aims);
    }
}
