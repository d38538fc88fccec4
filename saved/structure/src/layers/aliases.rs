//! What the owners of the scopes of a graph are called.

use std::collections::{HashMap, HashSet};

use crate::graph::{Engine, Graph, What};

/// How deep scopes are looked into. A name of a great many parts is nobody's.
pub(super) const DEPTH: usize = 64;

/// How many parts of names are compared to find the owners of scopes; no graph that a layer library writes comes near it.
const COMPARED: usize = 1 << 26;

/// The name of every scope's owner, by the scope.
#[derive(Debug, Default)]
pub struct Aliases {
    /// Of scopes in which variables are read, the last part of the owner's name.
    known: HashMap<String, String>,
    /// Whether scopes have numbers that their owners have not, by the parts that come first.
    numbered: HashMap<String, bool>,
}

/// The parts of a name, without those that are calls of functions.
pub(super) fn parts(name: &str) -> Vec<&str> {
    name.split('/').filter(|part| !is_call(part)).collect()
}

fn is_call(part: &str) -> bool {
    let name = without_number(part);
    matches!(name, "StatefulPartitionedCall" | "PartitionedCall")
}

/// `dense` of `dense_1`.
fn without_number(part: &str) -> &str {
    match part.rsplit_once('_') {
        Some((name, number))
            if !name.is_empty() && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) =>
        {
            name
        }
        _ => part,
    }
}

/// Whether a scope may be that of an owner.
fn fits(scope: &str, owner: &str) -> bool {
    scope == owner || without_number(scope) == owner
}

/// The first place where the parts of the owner stand in the scopes, one right behind the other.
fn find(scopes: &[&str], owner: &[&str]) -> Option<usize> {
    scopes.windows(owner.len()).position(|window| window.iter().zip(owner).all(|(scope, owner)| fits(scope, owner)))
}

/// Of models in which nothing is known, whether the model and all that stands in it directly has a number.
fn all_numbered<E: Engine>(graph: &Graph<E>) -> HashMap<String, bool> {
    let mut numbered: HashMap<String, bool> = HashMap::new();
    // An operation has constants of its own in what looks like a scope.
    let operations: HashSet<String> = graph.nodes.iter().map(|node| parts(&node.name).join("/")).collect();
    for node in &graph.nodes {
        if let [root, scope, _, ..] = parts(&node.name)[..]
            && !operations.contains(&format!("{root}/{scope}"))
        {
            let all = numbered.entry(root.to_owned()).or_insert(without_number(root) != root);
            *all &= without_number(scope) != scope;
        }
    }
    numbered
}

impl Aliases {
    /// Those of a graph.
    pub fn of<E: Engine>(graph: &Graph<E>) -> Self {
        let mut votes: HashMap<String, HashMap<&str, usize>> = HashMap::new();
        let mut left = COMPARED;
        for node in &graph.nodes {
            let variables = node.inputs.iter().filter_map(|input| match graph.nodes[input.node as usize].what {
                What::Variable(place) => Some(&graph.variables[place].name),
                _ => None,
            });
            for variable in variables {
                let scopes = parts(&node.name);
                let owner: Vec<&str> = variable.split('/').collect();
                if scopes.len().max(owner.len()) > DEPTH {
                    continue;
                }
                let Some(rest) = left.checked_sub(scopes.len() * owner.len() * owner.len()) else { break };
                left = rest;
                let owner = &owner[..owner.len() - 1];
                // The model's own name may be in one and not in the other.
                let found = (0..owner.len()).find_map(|skip| Some((find(&scopes, &owner[skip..])?, &owner[skip..])));
                let Some((first, owner)) = found else { continue };
                for (at, part) in owner.iter().enumerate() {
                    let scope = scopes[..=first + at].join("/");
                    *votes.entry(scope).or_default().entry(part).or_default() += 1;
                }
            }
        }
        let mut aliases = Aliases::default();
        let mut numbers: HashMap<String, i64> = HashMap::new();
        for (scope, votes) in votes {
            // Of equally many, the one that comes first, so that it is the same every time.
            let most = votes.iter().max_by(|a, b| a.1.cmp(b.1).then(b.0.cmp(a.0)));
            let Some((owner, _)) = most else { continue };
            let part = scope.rsplit('/').next().unwrap_or_default();
            let root = scope.split('/').next().unwrap_or_default().to_owned();
            *numbers.entry(root).or_default() += if part == *owner { -1 } else { 1 };
            aliases.known.insert(scope, (*owner).to_owned());
        }
        aliases.numbered = all_numbered(graph);
        aliases.numbered.extend(numbers.into_iter().map(|(root, more)| (root, more > 0)));
        aliases
    }

    /// Whether the scope is one whose owner is known.
    pub(super) fn is_known(&self, scope: &str) -> bool {
        self.known.contains_key(scope)
    }

    /// What the owner of a scope is called, without those around it.
    fn owner<'a>(&'a self, scope: &str, part: &'a str, root: &str) -> &'a str {
        match self.known.get(scope) {
            Some(owner) => owner,
            // What has no variables is numbered as what has.
            None if self.numbered.get(root).copied().unwrap_or(false) => without_number(part),
            None => part,
        }
    }

    /// The name of a node with the names of owners in place of those of scopes.
    pub fn of_node(&self, name: &str) -> String {
        let parts = parts(name);
        let Some((node, scopes)) = parts.split_last().filter(|(_, scopes)| scopes.len() <= DEPTH) else {
            return name.to_owned();
        };
        let mut alias = self.of_scope(scopes);
        if !alias.is_empty() {
            alias.push('/');
        }
        alias.push_str(node);
        alias
    }

    /// The name of a scope's owner, with those around it.
    pub(super) fn of_scope(&self, scopes: &[&str]) -> String {
        let mut scope = String::new();
        let mut alias = String::new();
        for part in scopes {
            if !scope.is_empty() {
                scope.push('/');
                alias.push('/');
            }
            scope.push_str(part);
            alias.push_str(self.owner(&scope, part, scopes[0]));
        }
        alias
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_names() {
        assert_eq!(without_number("dense_1"), "dense");
        assert_eq!(without_number("dense_1_2"), "dense_1");
        for whole in ["dense", "_1", "dense_", "dense_a1", "1"] {
            assert_eq!(without_number(whole), whole);
        }
    }

    #[test]
    fn owners_are_found_in_scopes() {
        assert_eq!(find(&["mlp_1", "dense_1_2", "Cast", "ReadVariableOp"], &["mlp", "dense_1"]), Some(0));
        assert_eq!(find(&["mlp_1", "dense_1_2", "Cast"], &["mlp", "dense"]), None);
        assert_eq!(find(&["net", "two_1", "d1_1", "MatMul"], &["two", "d1"]), Some(1));
        assert_eq!(parts("StatefulPartitionedCall/mlp_1/PartitionedCall_2/MatMul"), ["mlp_1", "MatMul"]);
    }
}
