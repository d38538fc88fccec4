//! A SavedModel: its signatures, and its layers as a tree.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::path::Path;

use serde::Serialize;
use taper_saved::{Argument, SavedModel, Signature, TensorInfo};

use crate::arguments::Inspect;
use crate::failure::{Failure, Outcome};
use crate::paths::{Paths, open};
use crate::show::{Side, counted, grouped, sizes, table, typed};

/// How many outputs of a layer are shown in its line.
const OUTPUTS: usize = 2;

/// How many of the nodes are named that are not supported for one reason.
const NODES: usize = 3;

pub(super) fn inspect(arguments: &Inspect, out: &mut impl Write) -> Outcome<()> {
    let signatures = taper_saved::signatures(&arguments.path).map_err(Failure::file)?;
    let model = open(&arguments.path, arguments.signature.as_deref())?;
    let checked = match arguments.check {
        true => Some(taper_saved::check(&arguments.path).map_err(Failure::file)?),
        false => None,
    };
    let contents = Contents::of(&model, &signatures, checked.as_ref(), arguments);
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &contents)?;
        writeln!(out)?;
    } else {
        contents.show(out, arguments.tensors)?;
    }
    out.flush()?;
    contents.whole(&arguments.path)
}

/// A model as machines read it.
#[derive(Serialize)]
struct Contents<'m> {
    kind: &'static str,
    path: String,
    tensorflow: Option<&'m str>,
    signature: &'m str,
    signatures: Vec<Call<'m>>,
    layers: Vec<Layer<'m>>,
    /// Those outside of all layers.
    tensors: Vec<Tensor<'m>>,
    weights: Vec<Weight<'m>>,
    parameters: u64,
    capturable: usize,
    unsupported: Vec<Unsupported<'m>>,
    /// Weights of this signature.
    unreadable: Vec<Unreadable<'m>>,
    /// Every weight in the folder, if that was asked for.
    checked: Option<Checked<'m>>,
}

#[derive(Serialize)]
struct Call<'m> {
    name: &'m str,
    inputs: Vec<Slot<'m>>,
    outputs: Vec<Slot<'m>>,
}

#[derive(PartialEq, Serialize)]
struct Slot<'m> {
    name: &'m str,
    dtype: &'static str,
    shape: Option<&'m [Option<usize>]>,
}

#[derive(Serialize)]
struct Layer<'m> {
    name: &'m str,
    calls: usize,
    /// The name of every call, with those of loops and branches.
    call_names: Vec<&'m str>,
    parameters: u64,
    /// What others take of its values, by paths.
    outputs: Vec<&'m str>,
    weights: Vec<Weight<'m>>,
    /// Those in it and in none of the layers inside it.
    tensors: Vec<Tensor<'m>>,
    #[serde(skip)]
    returns: Vec<&'m TensorInfo>,
}

#[derive(Serialize)]
struct Weight<'m> {
    name: &'m str,
    shape: &'m [usize],
}

#[derive(Serialize)]
struct Tensor<'m> {
    path: &'m str,
    op: &'m str,
    dtype: &'static str,
    shape: Option<Vec<Option<usize>>>,
    #[serde(skip)]
    short: &'m str,
}

#[derive(Serialize)]
struct Unsupported<'m> {
    node: &'m str,
    op: &'m str,
    reason: &'m str,
}

#[derive(Serialize)]
struct Unreadable<'m> {
    name: &'m str,
    reason: &'m str,
}

#[derive(Serialize)]
struct Checked<'m> {
    tensors: usize,
    bytes: u64,
    /// By the keys of the checkpoint.
    damaged: Vec<Unreadable<'m>>,
}

impl<'m> Contents<'m> {
    fn of(
        model: &'m SavedModel,
        signatures: &'m [Signature],
        checked: Option<&'m taper_saved::Checked>,
        arguments: &Inspect,
    ) -> Self {
        let paths = Paths::of(model, false);
        let names: HashSet<&str> = model.layers().map(taper_saved::Layer::name).collect();
        let mut inside: HashMap<Option<&str>, Vec<Tensor<'_>>> = HashMap::new();
        for tensor in model.tensors().iter().filter(|tensor| tensor.is_capturable()) {
            let owner = owners(tensor.short_name()).find(|name| names.contains(name));
            inside.entry(owner).or_default().push(Tensor {
                path: paths.path(tensor),
                op: tensor.op(),
                dtype: tensor.ty().name(),
                shape: tensor.shape(),
                short: tensor.short_name(),
            });
        }
        let layers = model.layers().map(|layer| {
            // A layer that nothing takes a value of has none.
            let returns: Vec<&TensorInfo> =
                (0..layer.calls()).filter_map(|call| model.call(layer.name(), call).ok()).flatten().collect();
            Layer {
                name: layer.name(),
                calls: layer.calls(),
                call_names: layer.call_names().collect(),
                parameters: layer.parameters() as u64,
                outputs: returns.iter().map(|tensor| paths.path(tensor)).collect(),
                weights: layer.variables().map(|(name, shape)| Weight { name, shape }).collect(),
                tensors: inside.remove(&Some(layer.name())).unwrap_or_default(),
                returns,
            }
        });
        let layers = layers.collect();
        Contents {
            kind: "saved_model",
            path: arguments.path.display().to_string(),
            tensorflow: model.tensorflow(),
            signature: model.signature(),
            signatures: signatures.iter().map(call).collect(),
            layers,
            tensors: inside.remove(&None).unwrap_or_default(),
            weights: model.variables().map(|(name, value)| Weight { name, shape: value.dims() }).collect(),
            parameters: model.variables().map(|(_, value)| value.elem_count() as u64).sum(),
            capturable: model.tensors().iter().filter(|tensor| tensor.is_capturable()).count(),
            unsupported: model.unsupported().map(|(node, op, reason)| Unsupported { node, op, reason }).collect(),
            unreadable: model.unreadable().map(|(name, reason)| Unreadable { name, reason }).collect(),
            checked: checked.map(|checked| Checked {
                tensors: checked.tensors(),
                bytes: checked.bytes(),
                damaged: checked.damaged().map(|(name, reason)| Unreadable { name, reason }).collect(),
            }),
        }
    }

    /// That no weight was found that can't be read.
    fn whole(&self, path: &Path) -> Outcome<()> {
        let damaged = self.checked.as_ref().map_or(0, |checked| checked.damaged.len());
        match self.unreadable.len().max(damaged) {
            0 => Ok(()),
            count => Err(Failure::file(format!(
                "`{}`: {} can't be read, the list says why",
                path.display(),
                counted(count as u64, "weight")
            ))),
        }
    }

    fn show(&self, out: &mut impl Write, tensors: bool) -> Outcome<()> {
        let version = self.tensorflow.map(|version| format!(", written by TensorFlow {version}")).unwrap_or_default();
        writeln!(out, "SavedModel {}{version}", self.path)?;
        // Keras writes two that are the same but for the name.
        let mut groups: Vec<(Vec<&str>, &Call<'_>)> = Vec::new();
        for call in &self.signatures {
            match groups.iter_mut().find(|(_, other)| (&other.inputs, &other.outputs) == (&call.inputs, &call.outputs))
            {
                Some((names, _)) => names.push(call.name),
                None => groups.push((vec![call.name], call)),
            }
        }
        for (names, call) in &groups {
            let shown = groups.len() > 1 && names.contains(&self.signature);
            let shown = if shown { format!(" (the layers below are of {})", self.signature) } else { String::new() };
            let title = if names.len() > 1 { "signatures" } else { "signature" };
            writeln!(out, "\n{title} {}{shown}", names.join(", "))?;
            let row = |what: &str, slot: &Slot<'_>| {
                [what.to_owned(), slot.name.to_owned(), format!("{} {}", slot.dtype, sizes(slot.shape))]
            };
            let rows: Vec<_> = (call.inputs.iter().map(|slot| row("in", slot)))
                .chain(call.outputs.iter().map(|slot| row("out", slot)))
                .collect();
            table(out, 2, [Side::Left; 3], &rows)?;
        }
        writeln!(out)?;
        self.tree(out, tensors)?;
        writeln!(
            out,
            "{} in {}, {} to capture",
            counted(self.parameters, "parameter"),
            counted(self.weights.len() as u64, "weight"),
            counted(self.capturable as u64, "tensor")
        )?;
        // What was read for the layers was read again with all others.
        let damaged = self.checked.iter().flat_map(|checked| &checked.damaged);
        let own = self.unreadable.iter().filter(|own| !damaged.clone().any(|one| own.reason.ends_with(one.reason)));
        for Unreadable { name, reason } in own.chain(damaged.clone()) {
            writeln!(out, "can't be read: {name}: {reason}")?;
        }
        if let Some(Checked { tensors, bytes, damaged }) = &self.checked {
            let whole = (tensors - damaged.len()) as u64;
            let read = (counted(*tensors as u64, "tensor"), crate::show::bytes(*bytes));
            writeln!(out, "checked: {} of {}, {}, are whole", grouped(whole), read.0, read.1)?;
        }
        let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
        for Unsupported { node, op, reason } in &self.unsupported {
            let node = format!("{node} ({op})");
            match reasons.iter_mut().find(|(other, _)| other == reason) {
                Some((_, nodes)) => nodes.push(node),
                None => reasons.push((reason, vec![node])),
            }
        }
        for (reason, nodes) in reasons {
            let more = nodes.len().saturating_sub(NODES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            writeln!(out, "not supported: {}{more}: {reason}", nodes[..nodes.len().min(NODES)].join(", "))?;
        }
        Ok(())
    }

    fn tree(&self, out: &mut impl Write, tensors: bool) -> Outcome<()> {
        let known: HashSet<&str> = self.layers.iter().map(|layer| layer.name).collect();
        let is_called_inside =
            |layer: &Layer<'_>| layer.call_names.iter().any(|call| !inside(call, layer.name).is_empty());
        let called = if self.layers.iter().any(is_called_inside) { "called in" } else { "" };
        let mut rows = vec![["layer", "parameters", "output", called].map(str::to_owned)];
        // What a layer inside has stands there.
        let mut owner: HashMap<&str, &str> = HashMap::new();
        for layer in &self.layers {
            for weight in &layer.weights {
                let owner = owner.entry(weight.name).or_insert(layer.name);
                if owners(layer.name).any(|outer| outer == *owner) {
                    *owner = layer.name;
                }
            }
        }
        for layer in &self.layers {
            let parent = owners(layer.name).find(|name| known.contains(name));
            let own = parent.map_or(layer.name, |parent| &layer.name[parent.len() + 1..]);
            let depth = owners(layer.name).filter(|name| known.contains(name)).count();
            let calls = if layer.calls > 1 { format!(" ×{}", layer.calls) } else { String::new() };
            let parameters = if layer.parameters > 0 { grouped(layer.parameters) } else { String::new() };
            let mut called: Vec<_> = layer.call_names.iter().map(|call| inside(call, layer.name)).collect();
            called.retain(|called| !called.is_empty());
            called.dedup();
            let own = format!("{}{own}{calls}", "  ".repeat(depth));
            rows.push([own, parameters, returns(&layer.returns), called.join(", ")]);
            if tensors {
                let inner = "  ".repeat(depth + 1);
                rows.extend(layer.weights.iter().filter(|weight| owner.get(weight.name) == Some(&layer.name)).map(
                    |weight| {
                        let count: usize = weight.shape.iter().product();
                        let name = weight.name.rsplit('/').next().unwrap_or_default();
                        let shape = format!("weight {:?}", weight.shape);
                        [format!("{inner}{name}"), grouped(count as u64), shape, String::new()]
                    },
                ));
                rows.extend(layer.tensors.iter().map(|tensor| tensor.row(&inner, tensor.inside(layer.name))));
            }
        }
        if rows.len() > 1 {
            table(out, 0, [Side::Left, Side::Right, Side::Left, Side::Left], &rows)?;
            writeln!(out)?;
        }
        if tensors && !self.tensors.is_empty() {
            writeln!(out, "outside of layers")?;
            let rows: Vec<_> = self.tensors.iter().map(|tensor| tensor.row("", tensor.path.to_owned())).collect();
            table(out, 2, [Side::Left, Side::Right, Side::Left, Side::Left], &rows)?;
            writeln!(out)?;
        }
        Ok(())
    }
}

impl Tensor<'_> {
    /// Its name inside a layer. Whole names have as many parts behind the layer's scope.
    fn inside(&self, layer: &str) -> String {
        let parts = self.short.matches('/').count() - layer.matches('/').count();
        let start = self.path.rmatch_indices('/').nth(parts - 1).map_or(0, |(at, _)| at + 1);
        self.path[start..].to_owned()
    }

    fn row(&self, indent: &str, name: String) -> [String; 4] {
        let typed = format!("{} {}", self.dtype, sizes(self.shape.as_deref()));
        [format!("{indent}{name}"), String::new(), typed, String::new()]
    }
}

fn call(signature: &Signature) -> Call<'_> {
    Call { name: signature.name(), inputs: slots(signature.inputs()), outputs: slots(signature.outputs()) }
}

fn slots(arguments: &[Argument]) -> Vec<Slot<'_>> {
    let slot = |argument| {
        let argument: &Argument = argument;
        Slot { name: argument.name(), dtype: argument.ty().name(), shape: argument.shape() }
    };
    arguments.iter().map(slot).collect()
}

/// The loops and branches in the name of a call, `while/body`: what the layer's own name has not.
fn inside(call: &str, layer: &str) -> String {
    let mut owners = layer.rsplit('/').peekable();
    let mut inside: Vec<&str> =
        call.rsplit('/').filter(|part| owners.next_if(|owner| owner == part).is_none()).collect();
    inside.reverse();
    inside.join("/")
}

/// The names that a name stands in, the innermost first.
fn owners(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(name.rsplit_once('/'), |(owner, _)| owner.rsplit_once('/')).map(|(owner, _)| owner)
}

fn returns(tensors: &[&TensorInfo]) -> String {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for tensor in tensors {
        let kind = typed(tensor.ty(), tensor.shape().as_deref());
        match kinds.iter_mut().find(|(other, _)| *other == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let more = kinds.iter().skip(OUTPUTS).map(|(_, count)| count).sum::<usize>();
    let shown = |(kind, count): (String, usize)| if count > 1 { format!("{kind} ×{count}") } else { kind };
    let mut shown: Vec<_> = kinds.into_iter().take(OUTPUTS).map(shown).collect();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    shown.join(", ")
}
