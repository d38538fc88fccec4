//! Names with the numbers of steps, and layers by their calls, which stand in steps.

use std::collections::BTreeSet;

use taper::__private::matches_parts;
use taper_saved_structure::layers::{Call, parts};

use super::is_end;
use super::near::{listed, nothing_taken, several_named};
use crate::model::SavedModel;
use crate::run::numbered;
use crate::tensors::{TensorInfo, Within};
use crate::{Error, Result};

/// Of the loops around something, outermost first, which step, or all.
pub(super) type Steps = Vec<Option<isize>>;

/// A tensor that a name means, and in which steps.
#[derive(Clone)]
pub(super) struct Found<'m> {
    pub(super) tensor: &'m TensorInfo,
    pub(super) visits: Steps,
}

impl Found<'_> {
    /// The whole name in these steps.
    pub(super) fn name(&self) -> String {
        let loops = self.tensor.within.iter().filter(|within| within.is_repeated);
        let ends: Vec<_> = loops.map(|within| within.name_end).collect();
        numbered(&self.tensor.name, &ends, self.visits.iter().copied())
    }
}

impl SavedModel {
    /// What a name means that has numbers of steps, `while/body.2/mul`. `None` if it has none that belong to loops.
    pub(super) fn with_steps(&self, name: &str) -> Result<Option<Vec<Found<'_>>>> {
        let steps = steps(name);
        // A name in the file may have such numbers itself.
        if steps.is_empty() || self.tensors.all.iter().any(|tensor| tensor.name == name) {
            return Ok(None);
        }
        let is_pattern = name.contains(['*', '?']);
        let anywhere = format!("**/{name}");
        let plain = name.strip_suffix(":0").unwrap_or(name);
        let fits = |own: &str| match is_pattern {
            true => matches_parts(name, own, '/') || matches_parts(&anywhere, own, '/'),
            false => is_end(own, plain),
        };
        let (mut found, mut whole) = (Vec::new(), Vec::new());
        for tensor in self.tensors.all.iter().filter(|tensor| tensor.is_repeated()) {
            let loops: Vec<_> = tensor.within.iter().filter(|within| within.is_repeated).collect();
            let ends = |end: fn(&Within) -> usize| loops.iter().map(|within| end(within)).collect::<Vec<_>>();
            let (names, shorts) = (ends(|within| within.name_end), ends(|within| within.short_end));
            for visits in placed(&steps, loops.len()) {
                let own = numbered(&tensor.name, &names, visits.iter().copied());
                let short = numbered(&tensor.short, &shorts, visits.iter().copied());
                if fits(&own) || fits(&short) {
                    // As with other names: from the first layer on it means that one, whatever else ends so.
                    let to = if own == plain || short == plain { &mut whole } else { &mut found };
                    to.push(Found { tensor, visits });
                    break;
                }
            }
        }
        if is_pattern {
            let usable: Vec<_> = found.iter().filter(|found| found.tensor.site.is_some()).cloned().collect();
            let found = if usable.is_empty() { found } else { usable };
            let found = if found.is_empty() { self.taken(&self.calls_matching(name, &steps)) } else { found };
            return Ok(Some(found).filter(|found| !found.is_empty()));
        }
        match (whole.len(), found.len()) {
            (1, _) => Ok(Some(whole)),
            (0, 1) => Ok(Some(found)),
            (0, 0) => self.called_at(name, &steps),
            _ => {
                whole.extend(found);
                Err(several_named(name, whole.iter().map(Found::name)))
            }
        }
    }

    /// The calls of layers that a pattern matches, in these steps of the loops around them.
    pub(super) fn calls_matching(&self, pattern: &str, steps: &[isize]) -> Vec<(&Call, Steps)> {
        let anywhere = format!("**/{pattern}");
        let fits = |name: &str| matches_parts(pattern, name, '/') || matches_parts(&anywhere, name, '/');
        let calls = self.layers().flat_map(|layer| layer.calls.iter().map(move |call| (layer, call)));
        let found = calls.filter_map(|(layer, call)| {
            let loops: Vec<_> = call.within.iter().filter(|within| within.is_repeated).collect();
            let ends: Vec<_> = loops.iter().map(|within| within.short_end).collect();
            let in_step = |visits: &Steps| fits(&numbered(&call.name, &ends, visits.iter().copied()));
            let visits = placed(steps, loops.len()).into_iter().find(in_step);
            let visits = visits.or_else(|| (steps.is_empty() && fits(&layer.name)).then(|| vec![None; loops.len()]));
            Some((call, visits?))
        });
        found.collect()
    }

    /// What others take of calls.
    pub(super) fn taken<'m>(&'m self, calls: &[(&'m Call, Steps)]) -> Vec<Found<'m>> {
        let found = calls.iter().flat_map(|(call, visits)| {
            let tensors = call.outputs.iter().filter_map(|value| self.tensors.get(*value));
            tensors.map(|tensor| Found { tensor, visits: visits.clone() })
        });
        let mut found: Vec<_> = found.collect();
        // What a layer gives may be what one inside it gives.
        let place = |found: &Found<'_>| (self.tensors.place(found.tensor.value), found.visits.clone());
        found.sort_by_key(place);
        found.dedup_by_key(|found| place(found));
        found
    }

    /// What is taken of the call of a layer in a step of a loop, `while/body.2/lstm_cell`.
    pub(super) fn called_at(&self, name: &str, steps: &[isize]) -> Result<Option<Vec<Found<'_>>>> {
        let calls = self.calls_named(name, steps)?;
        if calls.is_empty() {
            return Ok(None);
        }
        let found = self.taken(&calls);
        match found.is_empty() {
            true => Err(nothing_taken(name)),
            false => Ok(Some(found)),
        }
    }

    /// The calls of layers that have a name of their own, in these steps of the loops around them: the name by layers with the
    /// branches and loops that they stand in, or its end, and the whole scope.
    pub(super) fn calls_named(&self, name: &str, steps: &[isize]) -> Result<Vec<(&Call, Steps)>> {
        let scope = parts(name).join("/");
        let (mut found, mut whole) = (Vec::new(), Vec::new());
        for call in self.layers.iter().flat_map(|layer| &layer.calls) {
            let loops: Vec<_> = call.within.iter().filter(|within| within.is_repeated).collect();
            let ends = |end: fn(&Within) -> usize| loops.iter().map(|within| end(within)).collect::<Vec<_>>();
            let (scopes, shorts) = (ends(|within| within.name_end), ends(|within| within.short_end));
            for visits in placed(steps, loops.len()) {
                let short = numbered(&call.name, &shorts, visits.iter().copied());
                if short == name || numbered(&call.scope, &scopes, visits.iter().copied()) == scope {
                    whole.push((call, visits));
                    break;
                }
                if !call.within.is_empty() && is_end(&short, name) {
                    found.push((call, visits));
                    break;
                }
            }
        }
        let found = if whole.is_empty() { found } else { whole };
        let in_steps = |(call, visits): &(&Call, Steps)| {
            let loops = call.within.iter().filter(|within| within.is_repeated);
            numbered(&call.name, &loops.map(|within| within.short_end).collect::<Vec<_>>(), visits.iter().copied())
        };
        let names: BTreeSet<String> = found.iter().map(in_steps).collect();
        match names.len() {
            0 | 1 => Ok(found),
            count => Err(Error::Msg(format!(
                "`{name}` is the name of {count} layers: {}; give the whole name of one",
                listed(names.into_iter())
            ))),
        }
    }
}

/// The numbers of steps in a name, `2` of `while/body.2/mul`.
pub(super) fn steps(name: &str) -> Vec<isize> {
    let step = |part: &str| {
        let (own, number) = part.rsplit_once('.')?;
        let is_loop = own.ends_with("body") || own.ends_with("cond") || own.contains(['*', '?', '#']);
        number.parse().ok().filter(|_| is_loop)
    };
    name.split('/').filter_map(step).collect()
}

/// Every way in which the numbers may belong to the loops, which there may be more of; inner ones first.
pub(super) fn placed(steps: &[isize], loops: usize) -> Vec<Steps> {
    let Some((last, rest)) = steps.split_last() else { return vec![vec![None; loops]] };
    let mut ways = Vec::new();
    for at in (0..loops).rev() {
        for mut way in placed(rest, at) {
            way.push(Some(*last));
            way.resize(loops, None);
            ways.push(way);
        }
    }
    ways
}
