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

/// A scope, while tensors are put into it.
struct Scope {
    key: String,
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

    /// How many of a tensor's scopes have a struct.
    fn depth(&self, scopes: &[&str]) -> usize {
        let has_struct = |depth: &usize| {
            let scope = scopes[..*depth].join("/");
            self.by_scope.contains_key(&*scope) && !self.nodes.contains(&scope)
        };
        (1..=scopes.len()).take_while(has_struct).last().unwrap_or(0)
    }
}

/// The tree of a signature's layers.
pub(crate) fn tree(structure: &Structure<Outline>, model: &str) -> Layer {
    let owners = Owners::of(structure);
    let mut scopes = vec![Scope { key: String::new(), parts: Vec::new(), unsupported: Vec::new() }];
    let mut places: HashMap<String, usize> = HashMap::new();
    for (place, tensor) in structure.tensors.all.iter().enumerate() {
        if tensor.site.is_none() && tensor.blocked.is_none() {
            continue;
        }
        let all = parts(&tensor.name);
        let (own, around) = all.split_last().map_or((&*tensor.name, &[][..]), |(own, around)| (*own, around));
        let depth = owners.depth(around);
        let mut scope = 0;
        for end in 1..=depth {
            let key = around[..end].join("/");
            scope = *places.entry(key).or_insert_with_key(|key| {
                let inner = scopes.len();
                scopes.push(Scope { key: key.clone(), parts: Vec::new(), unsupported: Vec::new() });
                scopes[scope].parts.push(Inside::Scope(inner));
                inner
            });
        }
        if tensor.site.is_none() {
            scopes[scope].unsupported.push(place);
            continue;
        }
        let name = [&around[depth..], &[own]].concat().join("_").replace(':', "_output_");
        scopes[scope].parts.push(Inside::Tensor { place, name });
    }
    let mut types = Unique::default();
    Naming { structure, owners: &owners, scopes: &scopes, types: &mut types }.layer(0, String::new(), model.to_owned())
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
            name: owner.map(|(layer, _)| layer.name.clone()).unwrap_or_default(),
            parts,
            outputs: owner.map(|(layer, call)| self.places(&layer.calls[*call].outputs)).unwrap_or_default(),
            is_shown: owner.is_some_and(|(layer, _)| layer.shown),
            call: owner.map_or((1, 1), |(layer, call)| (call + 1, layer.calls.len())),
            unsupported: scope.unsupported.iter().map(why).collect(),
        }
    }

    /// What a layer is called, without those around it.
    fn own_name(&self, at: usize) -> &str {
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

    /// Fields that lead to a tensor.
    pub(crate) fn find(&self, wanted: usize) -> Option<Vec<&str>> {
        self.parts.iter().find_map(|part| match part {
            Part::Tensor { field, place } => (*place == wanted).then(|| vec![&**field]),
            Part::Layer(layer) => {
                let mut path = layer.find(wanted)?;
                path.insert(0, &layer.field);
                Some(path)
            }
        })
    }
}
