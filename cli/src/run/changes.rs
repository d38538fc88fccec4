//! Tensors that are given other values than the model computes.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex};

use candle_core::{Error, Tensor};
use serde::Serialize;
use taper_saved::{Run, SavedModel};

use super::inputs::Slot;
use super::source::Source;
use super::tapped;
use crate::arguments;
use crate::failure::{Failure, Outcome};
use crate::paths::Paths;

/// What is put in place of some tensors.
pub(super) struct Change<'a> {
    /// As the command line has it.
    name: &'a str,
    /// A pattern passes by what the run does not come by.
    is_pattern: bool,
    value: Option<Tensor>,
    source: Option<&'a str>,
    done: Arc<Mutex<Done>>,
}

/// What a run has made of a change.
#[derive(Default)]
struct Done {
    /// Which of the tensors that the name means were changed, and in which steps of loops.
    places: BTreeSet<(usize, Vec<u32>)>,
    /// The value was of another shape.
    misfit: Option<String>,
}

/// A change as machines read it.
#[derive(Serialize)]
pub(super) struct Changed<'a> {
    name: &'a str,
    change: &'static str,
    source: Option<&'a str>,
    tensors: Vec<String>,
}

/// How many changed tensors are shown in the lines of a change.
const SHOWN: usize = 8;

impl Changed<'_> {
    /// A line for every tensor, and what it is now.
    pub(super) fn show(&self, out: &mut impl Write) -> Outcome<()> {
        let by = self.source.map_or_else(|| "zero".to_owned(), |source| format!("replaced by {source}"));
        for tensor in self.tensors.iter().take(SHOWN) {
            writeln!(out, "  {tensor}  {by}")?;
        }
        match self.tensors.len().saturating_sub(SHOWN) {
            0 => {}
            more => writeln!(out, "  and {more} more that `{}` means  {by}", self.name)?,
        }
        Ok(())
    }
}

/// Those of a command line. Zeros come first, so that what is given in place of a tensor goes over them.
pub(super) fn changes<'a>(model: &SavedModel, arguments: &'a arguments::Run) -> Outcome<Vec<Change<'a>>> {
    let mut changes = Vec::new();
    for name in &arguments.zeros {
        from_the_start(name)?;
        tapped(model, std::slice::from_ref(name))?;
        changes.push(Change::of(name, None, None));
    }
    let paths = Paths::of(model, false);
    for (place, text) in arguments.replaced.iter().enumerate() {
        let (name, source) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
            Failure::usage(format!("`--replace {text}` does not say what replaces what; give `--replace NAME=FILE`"))
        })?;
        from_the_start(name)?;
        let tensor = match tapped(model, &[name.to_owned()])?[..] {
            [tensor] => tensor,
            ref several => {
                let listed: Vec<_> = several.iter().take(LISTED).map(|tensor| paths.path(tensor)).collect();
                let more = if several.len() > LISTED { ", …" } else { "" };
                return Err(Failure::name(format!(
                    "`{name}` is {} tensors, `{}`{more}, and one value replaces one of them; name it",
                    several.len(),
                    listed.join("`, `")
                )));
            }
        };
        let slot = Slot {
            what: format!("what replaces `{name}`"),
            names: vec![name.to_owned(), paths.path(tensor).to_owned(), tensor.name().to_owned()],
            tensor,
            place: STREAM + place as u64,
        };
        let value = slot.read(&Source::parse(source)?)?;
        if let Some(sizes) = tensor.shape().filter(|sizes| !fits(&value, sizes)) {
            return Err(Failure::usage(misfit(name, &value, &crate::show::sizes(Some(&sizes)))));
        }
        changes.push(Change::of(name, Some(value), Some(source)));
    }
    Ok(changes)
}

/// That a name counts no steps from the end.
fn from_the_start(name: &str) -> Outcome<()> {
    let is_negative = |part: &str| part.rsplit_once(".-").is_some_and(|(_, number)| number.parse::<u32>().is_ok());
    match name.split('/').any(is_negative) {
        true => Err(Failure::usage(format!(
            "`{name}` counts steps from the end, and which is the last is known only when the run has ended; count from the \
             first, which is 0"
        ))),
        false => Ok(()),
    }
}

/// Why a run does not come by what is in the model.
pub(super) const NOT_REACHED: &str =
    "it is in a branch that was not taken, in a step that was not made, or what is asked for does not depend on it";

/// How many tensors an error lists.
const LISTED: usize = 4;

/// Beyond the places of inputs, whose random numbers are others.
const STREAM: u64 = 1 << 32;

fn fits(value: &Tensor, sizes: &[Option<usize>]) -> bool {
    let same = |(size, own): (&Option<usize>, &usize)| size.is_none_or(|size| size == *own);
    sizes.len() == value.rank() && sizes.iter().zip(value.dims()).all(same)
}

fn misfit(name: &str, value: &Tensor, shape: &str) -> String {
    format!("what replaces `{name}` is of shape {:?}, and it is {shape}", value.dims())
}

impl<'a> Change<'a> {
    fn of(name: &'a str, value: Option<Tensor>, source: Option<&'a str>) -> Self {
        Change { name, is_pattern: name.contains(['*', '?']), value, source, done: Arc::default() }
    }

    /// A run with the change.
    pub(super) fn made<'m, 'e>(&self, run: Run<'m, 'e>) -> Outcome<Run<'m, 'e>> {
        let (value, done, name) = (self.value.clone(), self.done.clone(), self.name.to_owned());
        // The value that is there is computed all the same, so that there is a shape to compare with.
        let run = run.edit_at(self.name, move |site, there| {
            let mut done = done.lock().map_err(|_| Error::Msg("another thread has panicked".to_owned()))?;
            done.places.insert((site.position(), site.visits().to_vec()));
            match &value {
                None => there.zeros_like(),
                Some(value) if value.dims() == there.dims() => Ok(value.clone()),
                Some(value) => {
                    let why = misfit(&name, value, &format!("{:?} in this run", there.dims()));
                    done.misfit = Some(why.clone());
                    Err(Error::Msg(why))
                }
            }
        });
        let run = run.map_err(Failure::name)?;
        Ok(if self.is_pattern { run.if_reached() } else { run })
    }

    /// What is wrong with it, of a run that failed.
    pub(super) fn misfit(&self) -> Option<Failure> {
        let done = self.done.lock().ok()?;
        done.misfit.as_ref().map(Failure::usage)
    }

    /// What was changed, by paths.
    ///
    /// # Errors
    /// Nothing was: the run did not come by any of it.
    pub(super) fn changed(&self, model: &SavedModel, paths: &Paths<'_>) -> Outcome<Changed<'a>> {
        let places = self.done.lock().map(|done| done.places.clone()).unwrap_or_default();
        let change = if self.value.is_some() { "replace" } else { "zero" };
        if places.is_empty() {
            return Err(Failure::run(format!(
                "`--{change} {}` has changed nothing, the run did not reach it: {NOT_REACHED}",
                self.name
            )));
        }
        let all = model.find(self.name).map_err(Failure::name)?;
        let tensors = places.iter().map(|(place, visits)| paths.of_whole(&all[*place].name_at(visits))).collect();
        Ok(Changed { name: self.name, change, source: self.source, tensors })
    }
}
