//! What a run replaces or edits: values known beforehand, and functions of the value that flows by.

use std::any::{Any, type_name};
use std::collections::HashMap;
use std::sync::Arc;

use crate::bundle;
use crate::select::short;
use crate::{Error, Result};

/// An edit of the value at a site, in the visits that the run is in. It must leave the type as it is.
type EditFn<'e> = Arc<dyn Fn(&mut dyn Any, &[(u32, u32)]) -> Result<()> + Send + Sync + 'e>;

/// What is done at a site.
#[derive(Clone)]
pub(crate) enum What<'e> {
    /// The value is known. Where the code that makes it runs all the same, `assign` puts it in.
    Replace {
        value: Arc<dyn Any + Send + Sync>,
        assign: fn(&dyn Any, &mut dyn Any) -> Result<()>,
    },
    Edit(EditFn<'e>),
}

impl<'e> What<'e> {
    pub(crate) fn replace<T: Clone + Send + Sync + 'static>(value: &T) -> Self {
        What::Replace {
            value: Arc::new(value.clone()),
            assign: |known, value| {
                let known = known.downcast_ref::<T>().expect("made of a `T`");
                set(of::<T>(value)?, known.clone(), "the value put in is")
            },
        }
    }

    /// Lets this value flow on in place of one of the same form.
    pub(crate) fn put_in_place<T: Clone + Send + Sync + 'static>(value: &T) -> Self {
        let known = value.clone();
        What::Edit(Arc::new(move |value, _| set(of::<T>(value)?, known.clone(), "the value put in is")))
    }

    /// Lets this value flow on, whatever flows by and whatever other changes there are before this one.
    pub(crate) fn set<T: Clone + Send + Sync + 'static>(value: &T) -> Self {
        let known = value.clone();
        What::Edit(Arc::new(move |value, _| {
            *of::<T>(value)? = known.clone();
            Ok(())
        }))
    }

    pub(crate) fn edit<T: 'static>(f: impl Fn(&T) -> Result<T> + Send + Sync + 'e) -> Self {
        What::edit_in(move |value, _| f(value))
    }

    /// The same, `f` being told the visits.
    pub(crate) fn edit_in<T: 'static>(f: impl Fn(&T, &[(u32, u32)]) -> Result<T> + Send + Sync + 'e) -> Self {
        What::Edit(Arc::new(move |value, visits| {
            let value = of::<T>(value)?;
            let edited = f(value, visits)?;
            set(value, edited, "the edit gave")
        }))
    }
}

fn of<T: 'static>(value: &mut dyn Any) -> Result<&mut T> {
    let wrong = || Error::Msg(format!("the value there is not a `{}`", short(type_name::<T>())));
    value.downcast_mut::<T>().ok_or_else(wrong)
}

/// A change keeps shape, dtype and device.
fn set<T: 'static>(value: &mut T, new: T, what: &str) -> Result<()> {
    if bundle::same_form(value, &new) {
        *value = new;
        return Ok(());
    }
    let [old, new] = [value, &new as &dyn Any].map(|value| bundle::form(value).unwrap_or_default());
    Err(Error::Msg(format!("{what} {new}, and the value there is {old}; a change keeps shape, dtype and device")))
}

/// One site that is changed, of all its visits or of some.
#[derive(Clone)]
pub(crate) struct Change<'e> {
    pub(crate) index: u32,
    pub(crate) visits: Vec<(u32, u32)>,
    pub(crate) what: What<'e>,
    /// Whether a run may pass it by.
    pub(crate) optional: bool,
    /// The call by which it was made, so that `if_reached` means all of it.
    pub(crate) call: u32,
    /// Made in the run that was recorded: in what is reused of it, it is done already.
    pub(crate) inherited: bool,
}

impl Change<'_> {
    pub(crate) fn replaces(&self) -> bool {
        matches!(self.what, What::Replace { .. })
    }

    /// Whether the visits at hand are meant.
    fn meets(&self, path: &[(u32, u32)]) -> bool {
        self.visits.iter().all(|visit| path.contains(visit))
    }
}

/// The changes of a run, in the order in which they were made.
#[derive(Clone, Default)]
pub(crate) struct Changes<'e> {
    all: Vec<Change<'e>>,
    by_site: HashMap<u32, Vec<usize>>,
}

/// Where the value came from that arrives at a changed site.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Computed,
    Replaced,
    /// Out of a recording, with the recorded run's changes in it.
    Recorded,
}

impl<'e> Changes<'e> {
    pub(crate) fn push(&mut self, change: Change<'e>) {
        self.by_site.entry(change.index).or_default().push(self.all.len());
        self.all.push(change);
    }

    /// Takes back the last change.
    pub(crate) fn pop(&mut self) {
        let Some(change) = self.all.pop() else { return };
        self.by_site.entry(change.index).or_default().pop();
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Change<'e>> {
        self.all.iter()
    }

    pub(crate) fn allow_unreached(&mut self, call: u32) {
        self.all.iter_mut().filter(|c| c.call == call).for_each(|c| c.optional = true);
    }

    /// The same changes, as those of a run that was recorded.
    pub(crate) fn inherited<'x>(&self) -> Changes<'x>
    where
        'e: 'x,
    {
        let all = self.all.iter().map(|change| Change { inherited: true, ..change.clone() }).collect();
        Changes { all, by_site: self.by_site.clone() }
    }

    /// The changes at a site that mean the visits at hand, with their places.
    pub(crate) fn at(&self, index: u32, path: &[(u32, u32)]) -> impl DoubleEndedIterator<Item = (usize, &Change<'e>)> {
        let places = self.by_site.get(&index).map_or(&[][..], Vec::as_slice);
        places.iter().map(|&place| (place, &self.all[place])).filter(move |(_, change)| change.meets(path))
    }

    /// The value that stands in for one that is not computed, the last that was given.
    pub(crate) fn replacement<T: Clone + 'static>(&self, index: u32, path: &[(u32, u32)]) -> Option<T> {
        self.at(index, path).rev().find_map(|(_, change)| match &change.what {
            What::Replace { value, .. } => value.downcast_ref::<T>().cloned(),
            What::Edit(_) => None,
        })
    }

    /// The replacement first, then the edits in the order in which they were made.
    pub(crate) fn apply(
        &self,
        index: u32,
        path: &[(u32, u32)],
        origin: Origin,
        value: &mut dyn Any,
        mut reached: impl FnMut(usize),
    ) -> Result<()> {
        self.at(index, path).for_each(|(place, _)| reached(place));
        if origin == Origin::Computed
            && let Some((_, change)) = self.at(index, path).rev().find(|(_, change)| change.replaces())
            && let What::Replace { value: known, assign } = &change.what
        {
            assign(&**known, value)?;
        }
        for (_, change) in self.at(index, path) {
            match &change.what {
                What::Edit(edit) if !(origin == Origin::Recorded && change.inherited) => edit(value, path)?,
                _ => {}
            }
        }
        Ok(())
    }
}
