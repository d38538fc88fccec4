//! What an error says of a name that means nothing, or too much.

use std::collections::BTreeSet;
use std::fmt::Display;

use taper::__private::{matches_parts, near};

use crate::Error;
use crate::model::SavedModel;
use crate::tensors::TensorInfo;

/// How many names an error lists.
const LISTED: usize = 8;

/// How many patterns an error lists.
const NEAR: usize = 3;

/// A name that is longer, in bytes, is nobody's.
const LONG: usize = 1 << 12;

impl SavedModel {
    /// Patterns like one that matches nothing, of which each matches something.
    pub(super) fn near_pattern(&self, pattern: &str) -> String {
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

    pub(super) fn near(&self, name: &str) -> String {
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

pub(super) fn nothing_taken(name: &str) -> Error {
    Error::Msg(format!("nothing takes a value of the layer `{name}`; name a tensor in it"))
}

pub(super) fn several(name: &str, tensors: &[&TensorInfo]) -> Error {
    several_named(name, tensors.iter().map(|tensor| tensor.name.clone()))
}

pub(super) fn several_named(name: &str, tensors: impl ExactSizeIterator<Item = String>) -> Error {
    Error::Msg(format!(
        "`{name}` is the name of {} tensors: {}; give the whole name of one, or a pattern for all",
        tensors.len(),
        listed(tensors)
    ))
}

pub(super) fn listed(names: impl Iterator<Item: Display>) -> String {
    let names: Vec<_> = names.collect();
    let shown: Vec<_> = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
