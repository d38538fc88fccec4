//! Tensors by what people call them.

use std::collections::BTreeSet;
use std::fmt::Display;

use taper::__private::{matches_parts, near};
use taper_saved_structure::layers::{Call, parts};

use crate::graph::Value;
use crate::model::SavedModel;
use crate::run::{Place, numbered};
use crate::tensors::{TensorInfo, Within};
use crate::{Error, Result};

/// How many names an error lists.
const LISTED: usize = 8;

/// How many patterns an error lists.
const NEAR: usize = 3;

/// A name that is longer, in bytes, is nobody's.
const LONG: usize = 1 << 12;

impl SavedModel {
    /// The tensors that a name means, in the order in which they are computed:
    ///
    /// - a whole name, `StatefulPartitionedCall/custom_1/two_1/Tanh`, with or without `:0`, and that of a call of a
    ///   function, `StatefulPartitionedCall:1`;
    /// - a pattern of whole names or of names by layers, or else of their ends: `*` stands for any part between slashes,
    ///   `**` for anything, `?` for one character, `two/*`; of layers, if it matches no tensor: `two/d?`;
    /// - a place in [`tensors`](Self::tensors), from the end if negative: `#12`, `#-1`;
    /// - a name by layers, or the end of one, if it is that of one tensor: `two/Tanh`;
    /// - in a branch or a loop, the name that TensorFlow has in its function, if it is that of one: `while/lstm_cell_1/MatMul`;
    /// - a layer, or the end of its name, if it is that of one layer, or of one that stands in the model itself: `two`,
    ///   `two/d1`. It means what others take of its values; those of every call, if it is called several times. What is
    ///   called in a loop or a branch has a name for that call, `while/body/lstm_cell`, and so has every call by the whole
    ///   scope that it stands in, `net_1/two_1/d1_1`.
    ///
    /// A tensor in a loop stands for its values in all steps. With a number behind the name of the loop's function it is that
    /// of one step, from the end if negative: `lstm/while/body.2/lstm_cell/MatMul`, `while/body.-1/*`; so it is with layers,
    /// `while/body.2/lstm_cell`. The steps of a loop's condition are those of its `cond`, of which there is one more.
    ///
    /// # Errors
    /// A name that means nothing, with near ones, or several things, with their whole names; a tensor that can't be
    /// computed, with the node that is to blame.
    pub fn find(&self, name: &str) -> Result<Vec<&TensorInfo>> {
        Ok(self.found(name)?.into_iter().map(|found| found.tensor).collect())
    }

    fn found(&self, name: &str) -> Result<Vec<Found<'_>>> {
        let found = match self.with_steps(name)? {
            Some(found) => found,
            None => self.look_up(name)?.into_iter().map(|tensor| Found { tensor, visits: Vec::new() }).collect(),
        };
        match found.iter().find_map(|found| Some((found.tensor, found.tensor.blocked.as_ref()?))) {
            Some((tensor, why)) => Err(Error::Msg(format!("`{}` can't be computed: {why}", tensor.name))),
            None => Ok(found),
        }
    }

    /// As [`find`](Self::find), those that can't be computed included: [`TensorInfo::unsupported`] says why. A pattern means
    /// every tensor that it matches, weights too.
    ///
    /// # Errors
    /// A name that means nothing, with near ones, or several things, with their whole names.
    pub fn find_any(&self, name: &str) -> Result<Vec<&TensorInfo>> {
        match self.with_steps(name)? {
            Some(found) => Ok(found.into_iter().map(|found| found.tensor).collect()),
            None if name.contains(['*', '?']) => self.matching_any(name),
            None => self.look_up(name),
        }
    }

    /// Their places among the sites.
    pub(crate) fn places(&self, name: &str) -> Result<Vec<Place>> {
        let place = |Found { tensor, mut visits }: Found<'_>| {
            let site = tensor.site.ok_or_else(|| {
                let what = if tensor.op == "VarHandleOp" {
                    "a weight: what reads it is a tensor"
                } else {
                    "no tensor of numbers"
                };
                Error::Msg(format!("`{}` ({}) is {what}", tensor.name, tensor.ty))
            })?;
            visits.resize(self.sited[site].loops().count(), None);
            Ok(Place { site, visits })
        };
        self.found(name)?.into_iter().map(place).collect()
    }

    /// What a name means that has numbers of steps, `while/body.2/mul`. `None` if it has none that belong to loops.
    fn with_steps(&self, name: &str) -> Result<Option<Vec<Found<'_>>>> {
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

    fn look_up(&self, name: &str) -> Result<Vec<&TensorInfo>> {
        let all = &self.tensors.all;
        let plain = name.strip_suffix(":0").unwrap_or(name);
        if let Some(tensor) = all.iter().find(|tensor| tensor.name == plain) {
            return Ok(vec![tensor]);
        }
        if let Some(tensor) = self.of_call(name) {
            return Ok(vec![tensor]);
        }
        if let Some(place) = name.strip_prefix('#').and_then(|place| place.parse::<isize>().ok()) {
            let len = all.len();
            let at = if place < 0 { len.checked_add_signed(place) } else { Some(place.unsigned_abs()) };
            return match at.and_then(|at| all.get(at)) {
                Some(tensor) => Ok(vec![tensor]),
                None => Err(Error::Msg(format!("there is no tensor {name}: there are {len}"))),
            };
        }
        if name.contains(['*', '?']) {
            return self.matching(name);
        }
        let owned = |tensor: &TensorInfo| tensor.owned.as_ref().is_some_and(|owned| is_end(owned, plain));
        let fits = |tensor: &&TensorInfo| is_end(&tensor.short, plain) || is_end(&tensor.name, plain) || owned(tensor);
        let short: Vec<&TensorInfo> = all.iter().filter(fits).collect();
        // A name from the first layer on means that one, whatever else ends so; then one from the layers in the model on.
        for begins in [|short: &str, name: &str| short == name, in_model] {
            let whole: Vec<&TensorInfo> = short.iter().copied().filter(|tensor| begins(&tensor.short, plain)).collect();
            if let [tensor] = whole[..] {
                return Ok(vec![tensor]);
            }
        }
        match (&short[..], self.calls_of(name)) {
            ([tensor], _) => Ok(vec![*tensor]),
            (tensors, Ok(calls)) => {
                let outputs = self.outputs(calls.into_iter().flat_map(|call| &call.outputs), name);
                // The scope of an operation may be of the same name, and give nothing.
                outputs.map_err(|error| if tensors.is_empty() { error } else { several(name, tensors) })
            }
            ([], Err(error)) => match &self.in_functions(plain)[..] {
                [] => Err(error),
                [tensor] => Ok(vec![*tensor]),
                tensors => Err(several(name, tensors)),
            },
            (tensors, _) => Err(several(name, tensors)),
        }
    }

    /// What stands in functions of branches and loops, by the name that it has there: TensorFlow's own graph of a loop has
    /// `lstm_1/while/lstm_cell_1/MatMul`, which says not which of its functions it is in.
    fn in_functions(&self, name: &str) -> Vec<&TensorInfo> {
        let own = |tensor: &TensorInfo| {
            let mut own = tensor.name.clone();
            for within in tensor.within.iter().rev() {
                let first = own[..within.name_end].rfind('/').unwrap_or(0);
                own.replace_range(first..within.name_end, "");
            }
            own
        };
        let inside = self.tensors.all.iter().filter(|tensor| !tensor.within.is_empty());
        inside.filter(|tensor| is_end(&own(tensor), name)).collect()
    }

    /// The calls of a layer, or the one of this name.
    fn calls_of(&self, name: &str) -> Result<Vec<&Call>> {
        let error = match self.layer(name) {
            Ok(layer) => return Ok(layer.calls.iter().collect()),
            Err(error) => error,
        };
        match self.calls_named(name, &[]) {
            Ok(found) if !found.is_empty() => Ok(found.into_iter().map(|(call, _)| call).collect()),
            Err(several) if !self.layers.iter().any(|layer| is_end(&layer.name, name)) => Err(several),
            _ => Err(error),
        }
    }

    /// The calls of layers that a pattern matches, in these steps of the loops around them.
    fn calls_matching(&self, pattern: &str, steps: &[isize]) -> Vec<(&Call, Steps)> {
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
    fn taken<'m>(&'m self, calls: &[(&'m Call, Steps)]) -> Vec<Found<'m>> {
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
    fn called_at(&self, name: &str, steps: &[isize]) -> Result<Option<Vec<Found<'_>>>> {
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
    fn calls_named(&self, name: &str, steps: &[isize]) -> Result<Vec<(&Call, Steps)>> {
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

    /// What a call gives whose function stands in its place, by the call's whole name.
    fn of_call(&self, name: &str) -> Option<&TensorInfo> {
        let (call, output) = name.rsplit_once(':').unwrap_or((name, "0"));
        let value = self.graph.calls.get(call)?.get(output.parse::<usize>().ok()?)?;
        self.tensors.get((*value)?)
    }

    /// The layer of a name, or of the end of one if it is one layer's alone.
    ///
    /// # Errors
    /// No such layer, with near names; the end of the names of several.
    pub fn layer(&self, name: &str) -> Result<&crate::Layer> {
        if let Some(layer) = self.layers.iter().find(|layer| layer.name == name) {
            return Ok(layer);
        }
        // What stands in the model itself is what Keras's `get_layer` finds, whatever a model inside has of that name.
        let own: Vec<_> = self.layers.iter().filter(|layer| layer.shown && in_model(&layer.name, name)).collect();
        if let [layer] = own[..] {
            return Ok(layer);
        }
        let found: Vec<_> = self.layers.iter().filter(|layer| is_end(&layer.name, name)).collect();
        let shown: Vec<_> = found.iter().copied().filter(|layer| layer.shown).collect();
        match (&shown[..], &found[..]) {
            ([layer], _) | ([], [layer]) => Ok(layer),
            ([], []) => Err(Error::Msg(match self.output_tensors().find(|(output, _)| *output == name) {
                Some((_, Some(tensor))) => format!(
                    "there is no tensor and no layer `{name}`; the output that is called so is the tensor `{}`",
                    tensor.name
                ),
                _ => format!(
                    "there is no tensor and no layer `{name}`{} (A layer that does nothing when a model is used, \
                     such as Dropout, leaves nothing in the file.)",
                    self.near(name)
                ),
            })),
            _ => Err(Error::Msg(format!(
                "`{name}` is the name of {} layers: {}; give the whole name of one",
                found.len(),
                listed(found.iter().map(|layer| layer.name.as_str()))
            ))),
        }
    }

    /// The outputs of one call of a layer, counted from 0 in the order of the run.
    ///
    /// # Errors
    /// As [`layer`](Self::layer); a call that there is not, or whose values can't be computed.
    pub fn call(&self, layer: &str, call: usize) -> Result<Vec<&TensorInfo>> {
        let found = self.layer(layer)?;
        let outputs = found.calls.get(call).ok_or_else(|| {
            Error::Msg(format!("`{}` is called {} times: there is no call {call}", found.name, found.calls.len()))
        })?;
        self.outputs(outputs.outputs.iter(), layer)
    }

    fn outputs<'a>(&self, values: impl Iterator<Item = &'a Value>, name: &str) -> Result<Vec<&TensorInfo>> {
        let found: Vec<_> = values.filter_map(|value| self.tensors.get(*value)).collect();
        match found.is_empty() {
            true => Err(nothing_taken(name)),
            false => Ok(found),
        }
    }

    /// What a pattern means: of tensors that can't be computed and of weights, nothing, unless there is nothing else.
    fn matching(&self, pattern: &str) -> Result<Vec<&TensorInfo>> {
        let found = self.matching_any(pattern)?;
        let usable: Vec<_> = found.iter().copied().filter(|tensor| tensor.site.is_some()).collect();
        Ok(if usable.is_empty() { found } else { usable })
    }

    /// Every tensor that a pattern matches.
    fn matching_any(&self, pattern: &str) -> Result<Vec<&TensorInfo>> {
        let found = self.matched(pattern);
        match found.is_empty() {
            false => Ok(found),
            true => Err(Error::Msg(format!(
                "no tensor matches `{pattern}` (`*` stands for one part between slashes, `**` for several){}",
                self.near_pattern(pattern)
            ))),
        }
    }

    fn matched(&self, pattern: &str) -> Vec<&TensorInfo> {
        let of = |patterns: &[&str]| -> Vec<&TensorInfo> {
            let fits = |name: &str| patterns.iter().any(|pattern| matches_parts(pattern, name, '/'));
            let owned = |tensor: &TensorInfo| tensor.owned.as_deref().is_some_and(fits);
            let all = self.tensors.all.iter();
            all.filter(|tensor| fits(&tensor.name) || fits(&tensor.short) || owned(tensor)).collect()
        };
        let mut found = of(&[pattern]);
        // The names of weights leave out the model, `dense/kernel`, and are not what is meant by `dense/*`.
        if found.iter().all(|tensor| tensor.op == "VarHandleOp") {
            found = of(&[pattern, &format!("**/{pattern}")]);
        }
        // Layers are meant where no tensors are.
        if found.is_empty() {
            found = self.taken(&self.calls_matching(pattern, &[])).into_iter().map(|found| found.tensor).collect();
        }
        found
    }

    /// Patterns like one that matches nothing, of which each matches something.
    fn near_pattern(&self, pattern: &str) -> String {
        let names = self.tensors.all.iter().map(|tensor| &tensor.short);
        let known: BTreeSet<&str> = names.filter(|name| name.len() < LONG).flat_map(|name| name.split('/')).collect();
        let pattern_parts: Vec<&str> = pattern.split('/').collect();
        let mut others = Vec::new();
        for (at, part) in pattern_parts.iter().enumerate() {
            let letters = part.replace(['*', '?'], "");
            // The number of a step is nobody's name.
            let (own, step) = letters.split_at(letters.rfind('.').unwrap_or(letters.len()));
            if own.is_empty() || known.contains(own) || known.iter().any(|known| matches_parts(part, known, '/')) {
                continue;
            }
            for near in near(own, known.iter().map(|known| (*known, *known))) {
                let near = format!("{near}{step}");
                let mut parts = pattern_parts.clone();
                parts[at] = &near;
                others.push(parts.join("/"));
            }
        }
        // Layers between, or what is in a layer of which nothing is taken.
        others.push(pattern_parts.join("/**/"));
        others.push(format!("{pattern}/**"));
        let matches = |other: &String| matches!(self.with_steps(other), Ok(Some(_))) || !self.matched(other).is_empty();
        let near: Vec<_> = others.iter().filter(|other| matches(other)).take(NEAR).collect();
        match (near.is_empty(), self.layers().next()) {
            (true, None) => String::new(),
            (true, Some(_)) => format!("; the layers are {}", listed(self.layers().map(|layer| layer.name()))),
            (false, _) => {
                let near: Vec<_> = near.into_iter().map(|other| format!("`{other}`")).collect();
                format!("; did you mean {}?", near.join(", "))
            }
        }
    }

    fn near(&self, name: &str) -> String {
        // Names by layers from the end, as many parts as were given.
        let parts = name.split('/').count();
        let end = |short: &str| {
            let from = short.rmatch_indices('/').nth(parts - 1).map_or(0, |(at, _)| at + 1);
            short[from..].to_owned()
        };
        let inside = self.layers.iter().flat_map(|layer| &layer.calls).filter(|call| !call.within.is_empty());
        let layers = self.layers.iter().map(|layer| &layer.name).chain(inside.map(|call| &call.name));
        let all = self.tensors.all.iter().map(|tensor| &tensor.short).chain(layers);
        let ends = all.filter(|whole| whole.len() < LONG).map(|whole| (end(whole), whole));
        let said = |end: &str, whole: &str| match end == whole {
            true => format!("`{whole}`"),
            false => format!("`{end}` (`{whole}`)"),
        };
        let near = near(name, ends.map(|(end, whole)| (end.clone(), said(&end, whole))));
        match (near.is_empty(), self.layers().next()) {
            (true, None) => String::new(),
            (true, Some(_)) => format!("; the layers are {}", listed(self.layers().map(|layer| layer.name()))),
            (false, _) => format!("; did you mean {}?", near.join(", ")),
        }
    }
}

/// Of the loops around something, outermost first, which step, or all.
type Steps = Vec<Option<isize>>;

/// A tensor that a name means, and in which steps.
#[derive(Clone)]
struct Found<'m> {
    tensor: &'m TensorInfo,
    visits: Steps,
}

impl Found<'_> {
    /// The whole name in these steps.
    fn name(&self) -> String {
        let loops = self.tensor.within.iter().filter(|within| within.is_repeated);
        let ends: Vec<_> = loops.map(|within| within.name_end).collect();
        numbered(&self.tensor.name, &ends, self.visits.iter().copied())
    }
}

/// The numbers of steps in a name, `2` of `while/body.2/mul`.
fn steps(name: &str) -> Vec<isize> {
    let step = |part: &str| {
        let (own, number) = part.rsplit_once('.')?;
        let is_loop = own.ends_with("body") || own.ends_with("cond") || own.contains(['*', '?', '#']);
        number.parse().ok().filter(|_| is_loop)
    };
    name.split('/').filter_map(step).collect()
}

/// Every way in which the numbers may belong to the loops, which there may be more of; inner ones first.
fn placed(steps: &[isize], loops: usize) -> Vec<Steps> {
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

fn nothing_taken(name: &str) -> Error {
    Error::Msg(format!("nothing takes a value of the layer `{name}`; name a tensor in it"))
}

fn several(name: &str, tensors: &[&TensorInfo]) -> Error {
    several_named(name, tensors.iter().map(|tensor| tensor.name.clone()))
}

fn several_named(name: &str, tensors: impl ExactSizeIterator<Item = String>) -> Error {
    Error::Msg(format!(
        "`{name}` is the name of {} tensors: {}; give the whole name of one, or a pattern for all",
        tensors.len(),
        listed(tensors)
    ))
}

/// Whether a name is another, or its last parts.
fn is_end(name: &str, end: &str) -> bool {
    name.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// Whether a name is another without the model's own.
fn in_model(name: &str, own: &str) -> bool {
    name.split_once('/').is_some_and(|(_, rest)| rest == own)
}

fn listed(names: impl Iterator<Item: Display>) -> String {
    let names: Vec<_> = names.collect();
    let shown: Vec<_> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
