//! Errors of a run name the place.

use std::any::Any;
use std::fmt;

use super::{Pass, What};
use crate::{Error, bundle};

/// A call of a layer or model, while it runs.
#[derive(Default)]
pub(super) struct Call {
    /// The output of what was called, once it has begun.
    pub(super) site: Option<u32>,
    /// Whether it has returned a value.
    done: bool,
    /// Whether anything in its body is on the autograd graph.
    pub(super) tracked: bool,
    /// Whether anything in its body is off it that could be on it.
    pub(super) untracked: bool,
    /// Whether its output is on the autograd graph.
    pub(super) output: Option<bool>,
}

/// The innermost call that failed.
pub(super) enum Failed {
    /// A layer, which its error names already.
    Named(String),
    /// A model, in its own code, after some tap of its own.
    In { site: u32, after: Option<u32> },
    /// Nothing of the model: what the run was given, or asked for.
    Nowhere,
}

/// An error with its place in front.
struct Placed {
    place: String,
    error: Error,
}

impl fmt::Display for Placed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.error)
    }
}

fn placed(place: String, error: Error) -> Error {
    Error::Wrapped(Box::new(Placed { place, error }))
}

impl Pass<'_> {
    pub(super) fn call(&mut self) {
        // What failed before this, the run has survived.
        self.failed = None;
        self.calls.push(Call::default());
    }

    /// What is called has begun.
    pub(super) fn begun(&mut self, site: u32) {
        if let Some(call) = self.calls.last_mut() {
            call.site = Some(site);
        }
    }

    /// It has returned a value: what failed inside it, it has survived.
    pub(super) fn returned(&mut self) {
        self.failed = None;
        if let Some(call) = self.calls.last_mut() {
            call.done = true;
        }
    }

    /// The call is over.
    pub(super) fn called(&mut self) {
        let Some(call) = self.calls.pop() else { return };
        match call.site {
            Some(site) if !call.done => self.failed_in(site),
            // A helper of the same model, or a call that did not fail.
            _ => {}
        }
        if let Some(outer) = self.calls.last_mut() {
            // Of a call, its output is what the caller sees; a helper's body is the caller's own.
            outer.tracked |= call.output.unwrap_or(call.tracked);
            outer.untracked |= call.output.map_or(call.untracked, |tracked| !tracked);
        }
    }

    #[cold]
    fn failed_in(&mut self, site: u32) {
        let first = self.layout.scope_before(site);
        let after = Some(self.last).filter(|last| (first..site).contains(last));
        self.failed.get_or_insert(Failed::In { site, after });
    }

    /// The error of a layer, with its name, what it is and what it got.
    #[cold]
    pub(crate) fn name_layer(&mut self, site: u32, layer: &str, dims: Option<&[usize]>, error: Error) -> Error {
        if self.stopped {
            return error;
        }
        let name = self.model.names().of(site);
        let on = dims.map_or_else(String::new, |dims| format!(" on {dims:?}"));
        let place = format!("in `{name}` ({layer}){on}");
        self.failed = Some(Failed::Named(place.clone()));
        placed(place, error)
    }

    /// An error of what the run was given or asked for, which has no place in the model.
    #[cold]
    pub fn unplaced(&mut self, error: Error) -> Error {
        self.failed = Some(Failed::Nowhere);
        error
    }

    /// The error of a run with its place, if it is candle's: another type of error is the user's own.
    pub(super) fn place_of(&self, error: &mut dyn Any) {
        let Some(error) = error.downcast_mut::<Error>() else { return };
        let inner = std::mem::replace(error, Error::UnwrapNone);
        let place = match &self.failed {
            Some(Failed::Named(place)) if inner.to_string().contains(place) => None,
            Some(Failed::Nowhere) => None,
            Some(Failed::In { site, after }) => Some(self.place(*site, *after)),
            // Where a layer's error was survived, any of the bodies around it may have failed; this is around them all.
            Some(Failed::Named(_)) | None => Some(self.place(self.layout.len.saturating_sub(1), Some(self.last))),
        };
        // Before candle's own words, which may end in a long backtrace.
        *error = match (place, self.replaced()) {
            (Some(place), Some(replaced)) => placed(format!("{place} ({replaced})"), inner),
            (Some(place), None) => placed(place, inner),
            (None, Some(replaced)) => placed(replaced, inner),
            (None, None) => inner,
        };
    }

    /// What was replaced without being compared with anything, which may be why the run failed.
    fn replaced(&self) -> Option<String> {
        let changes = self.changes.filter(|_| !self.effects)?.iter().zip(&self.reached);
        let replaced = changes.filter(|(change, reached)| **reached && !self.layout.is_tap(change.index));
        let names = self.model.names();
        let forms = replaced.filter_map(|(change, _)| match &change.what {
            What::Replace { value, .. } => {
                let form = bundle::form(&**value)?;
                Some(format!(
                    "`{}` was replaced by {form}, which was not compared with what it gives",
                    names.of(change.index)
                ))
            }
            What::Edit(_) => None,
        });
        let forms: Vec<_> = forms.collect();
        (!forms.is_empty()).then(|| forms.join("; "))
    }

    fn place(&self, site: u32, after: Option<u32>) -> String {
        let names = self.model.names();
        let model = names.model_of(site);
        let after = after.filter(|&last| last != u32::MAX).map(|last| format!(", after `{}`", names.of(last)));
        let after = after.unwrap_or_else(|| ", before its first tap".to_owned());
        match model {
            Some((name, ty)) if !name.is_empty() => format!("in `{name}` ({ty}){after}"),
            Some((_, ty)) => format!("in {ty}{after}"),
            None => format!("in `{}`{after}", names.of(site)),
        }
    }
}
