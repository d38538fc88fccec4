//! What a run may not reach.

use std::any::Any;

use super::{Site, Span, Tree};
use crate::Result;
use crate::pass::{Frame, Pass, Place, Reader};
use crate::select::{Aims, Selection, Targets, Wants};
use crate::taps::Visitor;

/// The sites of what a run may skip: in an `if`, a `match` arm, right of `&&`, after a conditional `return`, or of an
/// `Option` field. Its value is an `Option`.
#[derive(Clone, Debug)]
pub struct Maybe<S> {
    pub(crate) span: Span,
    /// `None` where the model itself has no such submodule.
    pub(crate) inner: Option<S>,
}

impl<S> Maybe<S> {
    /// What stands in a frame that was built by itself.
    #[doc(hidden)]
    pub fn of(frame: &impl Frame, inner: S) -> Self {
        Maybe { span: frame.frame().0, inner: Some(inner) }
    }

    /// Selects inside: `t.gate.map(|g| g.output)`. The value is an `Option` of what is selected.
    pub fn map<R: Selection>(self, select: impl FnOnce(S) -> R) -> MaybeSelection<R> {
        MaybeSelection { span: self.span, inner: self.inner.map(select) }
    }
}

impl<S> Frame for Maybe<S> {
    type Inner = S;

    fn frame(&self) -> (Span, Option<&S>) {
        (self.span, self.inner.as_ref())
    }
}

impl<T: Clone + Any> Place<T> for Maybe<Site<T>> {
    fn put(&self, pass: &mut Pass<'_>, value: T) -> Option<T> {
        pass.put_in_frame(self, value)
    }
}

impl<S: Tree> Tree for Maybe<S> {
    type Value = Option<S::Value>;
    type Item = S::Item;

    fn aim<'v>(&self, values: Option<&'v Self::Value>, aims: &mut Aims<'v, S::Item>) {
        aim_at(self.span, self.inner.as_ref(), values, aims);
    }

    fn span(&self) -> Span {
        self.span
    }

    fn read_taps(&self, reader: &Reader<'_>) -> Result<Self::Value> {
        read_first(self.span, self.inner.as_ref(), reader, S::read_taps)
    }

    fn visit(value: &Self::Value, visitor: &mut Visitor<'_>) {
        if let Some(value) = value {
            S::visit(value, visitor);
        }
    }
}

fn read_first<S, V>(
    span: Span,
    inner: Option<&S>,
    reader: &Reader<'_>,
    read: impl Fn(&S, &Reader<'_>) -> Result<V>,
) -> Result<Option<V>> {
    match (reader.frames(span.first).first(), inner) {
        (Some(frame), Some(inner)) => read(inner, &reader.within(frame)).map(Some),
        _ => Ok(None),
    }
}

/// A value for what is left out changes nothing.
fn aim_at<'v, S: Targets>(
    span: Span,
    inner: Option<&S>,
    value: Option<&'v Option<S::Value>>,
    aims: &mut Aims<'v, S::Item>,
) {
    match (inner, value) {
        (_, Some(None)) => {}
        (Some(inner), _) => inner.targets(value.and_then(Option::as_ref), aims),
        // The model has no such submodule: a change there is never reached.
        (None, _) => aims.site(span, None),
    }
}

/// What [`Maybe::map`] selects.
#[derive(Clone, Debug)]
pub struct MaybeSelection<R> {
    span: Span,
    inner: Option<R>,
}

impl<R: Selection> Selection for MaybeSelection<R> {
    type Value = Option<R::Value>;

    fn want<'s>(&'s self, wants: &mut Wants<'s>) {
        wants.frame(self.span);
        if let Some(inner) = &self.inner {
            inner.want(wants);
        }
    }

    fn read(&self, reader: &Reader<'_>) -> Result<Self::Value> {
        read_first(self.span, self.inner.as_ref(), reader, R::read)
    }
}

impl<R: Targets> Targets for MaybeSelection<R> {
    type Item = R::Item;

    fn targets<'v>(&self, values: Option<&'v Self::Value>, aims: &mut Aims<'v, R::Item>) {
        aim_at(self.span, self.inner.as_ref(), values, aims);
    }
}
