//! The tensors of a signature in the layers that own them, with a name for each field.

use std::collections::{HashMap, HashSet};

use taper_saved_structure::Outline;
use taper_saved_structure::graph::Value;
use taper_saved_structure::layers::{Layer as Owner, parts};
use taper_saved_structure::open::Structure;
use taper_saved_structure::tensors::TensorInfo;

use crate::names::{Unique, pascal, snake};

/// A layer, or the model: a struct of its own.
#[derive(Debug)]
pub(crate) struct Layer {
    /// Its field in the layer around it; nothing for the model.
    pub(crate) field: String,
    /// What its types begin with.
    pub(crate) ty: String,
    /// As its owner calls it, `custom/two`.
    pub(crate) name: String,
    /// In the order in which they are computed.
    pub(crate) parts: Vec<Part>,
    /// The values that others take of it, by their places among all tensors.
    pub(crate) outputs: Vec<usize>,
    /// What it is to a branch or a loop.
    pub(crate) function: Option<Function>,
    /// Whether it is known to be a layer, and not only a scope of operations.
    pub(crate) is_shown: bool,
    /// Which call of it this is, from 1, and how many there are.
    pub(crate) call: (usize, usize),
    /// What stands in it and can't be computed, in words.
    pub(crate) unsupported: Vec<String>,
}

/// A field of a layer.
#[derive(Debug)]
pub(crate) enum Part {
    Tensor {
        field: String,
        /// Its place among all tensors.
        place: usize,
    },
    Layer(Layer),
}

/// What a branch or a loop calls, as often as values say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function {
    pub(crate) body: u32,
    pub(crate) is_repeated: bool,
}

/// A scope, while tensors are put into it.
#[derive(Default)]
struct Scope {
    key: String,
    /// What it is called, if it is a function of a branch or a loop.
    function: Option<(Function, String)>,
    parts: Vec<Inside>,
    unsupported: Vec<usize>,
}

enum Inside {
    Tensor { place: usize, name: String },
    Scope(usize),
}

/// Whose the scopes are.
struct Owners<'s> {
    /// The layer, and which of its calls.
    by_scope: HashMap<&'s str, (&'s Owner, usize)>,
    /// Names that are nodes' own: what stands in such a scope belongs to the node.
    nodes: HashSet<String>,
}

impl<'s> Owners<'s> {
    fn of(structure: &'s Structure<Outline>) -> Self {
        let calls =
            structure.layers.iter().flat_map(|layer| layer.calls.iter().enumerate().map(move |call| (layer, call)));
        let by_scope = calls.map(|(layer, (number, call))| (&*call.scope, (layer, number))).collect();
        let nodes = structure.graph.nodes.iter().map(|node| parts(&node.name).join("/")).collect();
        Owners { by_scope, nodes }
    }

    /// Whether a scope has a struct.
    fn has_struct(&self, scope: &str) -> bool {
        self.by_scope.contains_key(scope) && !self.nodes.contains(scope)
    }
}

/// The tree of a signature's layers.
pub(crate) fn tree(structure: &Structure<Outline>, model: &str) -> Layer {
    let owners = Owners::of(structure);
    let mut scopes = Scopes { all: vec![Scope::default()], places: HashMap::new() };
    for (place, tensor) in structure.tensors.all.iter().enumerate() {
        if tensor.site.is_some() || tensor.blocked.is_some() {
            scopes.put(&owners, tensor, place);
        }
    }
    let (scopes, mut types) = (scopes.all, Unique::default());
    Naming { structure, owners: &owners, scopes: &scopes, types: &mut types }.layer(0, String::new(), model.to_owned())
}

/// The scopes so far, the model's own first.
struct Scopes {
    all: Vec<Scope>,
    /// By their names in the file.
    places: HashMap<String, usize>,
}

impl Scopes {
    fn put(&mut self, owners: &Owners<'_>, tensor: &TensorInfo, place: usize) {
        let (mut scope, mut key, mut end) = (0, String::new(), 0);
        // What has no struct of its own and is part of the field's name.
        let mut rest: Vec<&str> = Vec::new();
        let all: Vec<&str> = tensor.name.split('/').collect();
        for part in &all[..all.len() - 1] {
            end += part.len() + usize::from(end > 0);
            if parts(part).is_empty() {
                continue;
            }
            key = if key.is_empty() { (*part).to_owned() } else { format!("{key}/{part}") };
            rest.push(part);
            let within = tensor.within.iter().find(|within| within.name_end == end);
            let function = within.map(|within| Function { body: within.body, is_repeated: within.is_repeated });
            if function.is_some() || rest.len() == 1 && owners.has_struct(&key) {
                let function = function.map(|function| (function, rest.join("_")));
                scope = self.inside(scope, &key, function);
                rest.clear();
            }
        }
        if tensor.site.is_none() {
            self.all[scope].unsupported.push(place);
            return;
        }
        let own = all.last().copied().unwrap_or_default();
        rest.push(if tensor.op == "Placeholder" && !tensor.within.is_empty() { argument(own, &key) } else { own });
        let name = rest.join("_").replace(':', "_output_");
        self.all[scope].parts.push(Inside::Tensor { place, name });
    }

    /// A scope in another.
    fn inside(&mut self, outer: usize, key: &str, function: Option<(Function, String)>) -> usize {
        if let Some(place) = self.places.get(key) {
            return *place;
        }
        let inner = self.all.len();
        self.places.insert(key.to_owned(), inner);
        self.all.push(Scope { key: key.to_owned(), function, ..Scope::default() });
        self.all[outer].parts.push(Inside::Scope(inner));
        inner
    }
}

/// An argument of a function without the scopes around it, which TensorFlow puts in front of it, and often twice:
/// `loop_counter` of `net_1_lstm_1_while_net_1_lstm_1_while_loop_counter`.
fn argument<'t>(name: &'t str, scope: &str) -> &'t str {
    let scopes: Vec<String> =
        scope.split('/').map(|part| part.to_lowercase().replace(|c: char| !c.is_alphanumeric(), "_")).collect();
    let mut name = name;
    for end in (1..=scopes.len()).rev() {
        let around = scopes[..end].join("_") + "_";
        while let Some(rest) = name.strip_prefix(&around).filter(|rest| !rest.is_empty()) {
            name = rest;
        }
    }
    name
}

struct Naming<'n> {
    structure: &'n Structure<Outline>,
    owners: &'n Owners<'n>,
    scopes: &'n [Scope],
    types: &'n mut Unique,
}

impl Naming<'_> {
    fn layer(&mut self, at: usize, field: String, ty: String) -> Layer {
        let scope = &self.scopes[at];
        let ty = self.types.ty(ty);
        let mut fields = Unique::with(if at == 0 { &["output"] } else { &[] });
        // Layers come first, so that they have their own names.
        let inner: HashMap<usize, String> = scope
            .parts
            .iter()
            .filter_map(|part| match part {
                Inside::Scope(inner) => Some((*inner, fields.field(snake(self.own_name(*inner))))),
                Inside::Tensor { .. } => None,
            })
            .collect();
        let parts = scope.parts.iter().map(|part| match part {
            Inside::Tensor { place, name } => Part::Tensor { field: fields.field(snake(name)), place: *place },
            Inside::Scope(at) => {
                let field = inner[at].clone();
                let ty = format!("{ty}{}", pascal(&field));
                Part::Layer(self.layer(*at, field, ty))
            }
        });
        let parts = parts.collect();
        let why = |place: &usize| {
            let tensor: &TensorInfo = &self.structure.tensors.all[*place];
            format!("`{}`: {}", tensor.name, tensor.blocked.as_deref().unwrap_or_default())
        };
        let owner = self.owners.by_scope.get(&*scope.key);
        Layer {
            field,
            ty,
            name: owner.map_or_else(|| scope.key.clone(), |(layer, _)| layer.name.clone()),
            parts,
            outputs: owner.map(|(layer, call)| self.places(&layer.calls[*call].outputs)).unwrap_or_default(),
            function: scope.function.as_ref().map(|(function, _)| *function),
            is_shown: owner.is_some_and(|(layer, _)| layer.shown),
            call: owner.map_or((1, 1), |(layer, call)| (call + 1, layer.calls.len())),
            unsupported: scope.unsupported.iter().map(why).collect(),
        }
    }

    /// What a layer is called, without those around it.
    fn own_name(&self, at: usize) -> &str {
        if let Some((_, name)) = &self.scopes[at].function {
            return name;
        }
        let key = &*self.scopes[at].key;
        let name = self.owners.by_scope.get(key).map_or(key, |(layer, _)| &layer.name);
        name.rsplit('/').next().unwrap_or(name)
    }

    /// Of some values, the places of those that can be computed.
    fn places(&self, values: &[Value]) -> Vec<usize> {
        let all = &self.structure.tensors.all;
        let place = |value: &Value| all.iter().position(|tensor| tensor.value == *value && tensor.site.is_some());
        values.iter().filter_map(place).collect()
    }
}

impl Layer {
    /// The places of all tensors in it, in the order of the fields.
    pub(crate) fn places(&self) -> Vec<usize> {
        let mut places = Vec::new();
        self.each(&mut |place| places.push(place));
        places
    }

    fn each(&self, f: &mut impl FnMut(usize)) {
        for part in &self.parts {
            match part {
                Part::Tensor { place, .. } => f(*place),
                Part::Layer(layer) => layer.each(f),
            }
        }
    }

    /// Fields that lead to a tensor, if a run has one of it.
    pub(crate) fn find(&self, wanted: usize) -> Option<Vec<&str>> {
        self.parts.iter().find_map(|part| match part {
            Part::Tensor { field, place } => (*place == wanted).then(|| vec![&**field]),
            Part::Layer(layer) if layer.function.is_some() => None,
            Part::Layer(layer) => {
                let mut path = layer.find(wanted)?;
                path.insert(0, &layer.field);
                Some(path)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::argument;

    #[test]
    fn arguments_are_called_without_the_scopes_around_them() {
        let scope = "net_1/lstm_1/While-Loop/body";
        for (name, own) in [
            ("net_1_lstm_1_while_loop_net_1_lstm_1_while_loop_while_loop_counter", "while_loop_counter"),
            ("net_1_lstm_1_while_loop_net_1_lstm_1_max", "max"),
            ("net_1_lstm_1_while_loop_placeholder_2", "placeholder_2"),
            ("net_1_", "net_1_"),
            ("net_10_x", "net_10_x"),
            ("x", "x"),
        ] {
            assert_eq!(argument(name, scope), own);
        }
    }
}
