//! Tensors by what people call them.

mod near;
mod steps;

use taper::__private::matches_parts;
use taper_saved_structure::layers::Call;

use crate::graph::Value;
use crate::model::SavedModel;
use crate::run::Place;
use crate::tensors::TensorInfo;
use crate::{Error, Result};

use near::{listed, nothing_taken, several};
use steps::Found;

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
}

/// Whether a name is another, or its last parts.
fn is_end(name: &str, end: &str) -> bool {
    name.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// Whether a name is another without the model's own.
fn in_model(name: &str, own: &str) -> bool {
    name.split_once('/').is_some_and(|(_, rest)| rest == own)
}
