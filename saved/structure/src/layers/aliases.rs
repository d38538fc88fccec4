//! What the owners of the scopes of a graph are called.

use std::collections::{HashMap, HashSet};

use crate::Result;
use crate::graph::{Engine, Graph, What};
use crate::limits::{Budget, NAME, OWNERS, SCOPE_DEPTH};

/// The name of every scope's owner, by the scope.
#[derive(Debug, Default)]
pub struct Aliases {
    /// Of scopes in which variables are read, the last part of the owner's name.
    known: HashMap<String, String>,
    /// Whether scopes have numbers that their owners have not, by the parts that come first.
    numbered: HashMap<String, bool>,
    /// Of models in which they have, the scopes whose numbers are those of operations, such as `strided_slice_1`.
    operations: HashSet<String>,
}

/// The parts of a name, without those that are calls of functions.
pub fn parts(name: &str) -> Vec<&str> {
    name.split('/').filter(|part| !is_call(part)).collect()
}

/// A part of a node's name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'g> {
    pub(super) part: &'g str,
    /// Of a branch or a loop: its node, or what it calls its function. No layer is called so.
    pub(super) is_control: bool,
    /// The function whose name ends here.
    body: Option<u32>,
}

/// The parts of a node's name, without those that are calls of functions.
pub(super) fn path<E: Engine>(graph: &Graph<E>, node: u32) -> Vec<Scope<'_>> {
    let bodies: Vec<u32> = graph.bodies_around(node).collect();
    let mut end = 0;
    let scopes = graph.nodes[node as usize].name.split('/').map(|part| {
        end += part.len() + usize::from(end > 0);
        let named = |body: &&u32| graph.bodies[**body as usize].name.len() == end;
        let calls = |body: &u32| graph.nodes[graph.bodies[*body as usize].control as usize].name.len() == end;
        let body = bodies.iter().find(named).copied();
        Scope { part, is_control: body.is_some() || bodies.iter().any(calls), body }
    });
    scopes.filter(|scope| !is_call(scope.part)).collect()
}

/// The parts, with slashes between them.
pub(super) fn joined(scopes: &[Scope<'_>]) -> String {
    scopes.iter().map(|scope| scope.part).collect::<Vec<_>>().join("/")
}

/// What the owners of a node's scopes are called.
#[derive(Debug, Default)]
pub struct Names {
    /// The name by owners.
    pub short: String,
    /// The same without branches and loops.
    pub owned: String,
    /// Where the names of the functions that it stands in end, outermost first.
    pub bodies: Vec<BodyEnd>,
}

/// Where the name of a function ends that a branch or a loop calls.
#[derive(Clone, Copy, Debug)]
pub struct BodyEnd {
    /// Which function.
    pub body: u32,
    /// In the name by owners.
    pub short: usize,
    /// In that by scopes, without the calls of functions.
    pub scope: usize,
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

/// The last part of a name.
fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
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
    let own = |node: u32| -> Vec<&str> {
        path(graph, node).iter().filter(|scope| !scope.is_control).map(|scope| scope.part).collect()
    };
    let nodes = 0..graph.nodes.len() as u32;
    let operations: HashSet<String> = nodes.clone().map(|node| own(node).join("/")).collect();
    for node in nodes {
        if let [root, scope, _, ..] = own(node)[..]
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
    ///
    /// # Errors
    /// Names of so many parts that they would take more memory than the file's budget has.
    pub fn of<E: Engine>(graph: &Graph<E>, budget: &Budget) -> Result<Self> {
        let mut votes: HashMap<String, HashMap<&str, usize>> = HashMap::new();
        let mut left = OWNERS;
        for (index, node) in (0..).zip(&graph.nodes) {
            let variables =
                node.inputs.iter().filter_map(|input| match graph.nodes[graph.source(*input).node as usize].what {
                    What::Variable(place) => Some(&graph.variables[place].name),
                    _ => None,
                });
            for variable in variables {
                let path = path(graph, index);
                let owner: Vec<&str> = variable.split('/').collect();
                if path.len().max(owner.len()) > SCOPE_DEPTH {
                    continue;
                }
                let places: Vec<usize> = (0..path.len()).filter(|at| !path[*at].is_control).collect();
                let scopes: Vec<&str> = places.iter().map(|at| path[*at].part).collect();
                let Some(rest) = left.checked_sub(scopes.len() * owner.len().pow(3)) else { break };
                left = rest;
                // The model's own name may be in one and not in the other, and a cell may leave no scope of its own.
                let ends = (1..owner.len()).rev().map(|end| &owner[..end]);
                let mut parts = ends.flat_map(|owner| (0..owner.len()).map(|skip| &owner[skip..]));
                let found = parts.find_map(|owner| Some((find(&scopes, owner)?, owner)));
                let Some((first, owner)) = found else { continue };
                for (at, part) in owner.iter().enumerate() {
                    let scope = joined(&path[..=places[first + at]]);
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
            let part = last(&scope);
            let root = scope.split('/').next().unwrap_or_default().to_owned();
            *numbers.entry(root).or_default() += if part == *owner { -1 } else { 1 };
            aliases.known.insert(scope, (*owner).to_owned());
        }
        aliases.numbered = all_numbered(graph);
        aliases.numbered.extend(numbers.into_iter().map(|(root, more)| (root, more > 0)));
        aliases.operations = aliases.operations(graph, budget)?;
        Ok(aliases)
    }

    /// The scopes that are numbered as operations are: from the second of a name on. Layers have a number from the first on.
    fn operations<E: Engine>(&self, graph: &Graph<E>, budget: &Budget) -> Result<HashSet<String>> {
        let mut nodes = HashSet::new();
        let mut scopes = HashSet::new();
        for node in 0..graph.nodes.len() as u32 {
            let path = path(graph, node);
            if path.len() > SCOPE_DEPTH || !self.is_numbered(&path) {
                continue;
            }
            let name = joined(&path);
            let ends = path[..path.len() - 1].iter().scan(0, |end, scope| {
                *end += scope.part.len() + usize::from(*end > 0);
                Some((*end, scope))
            });
            for scope in ends.filter(|(_, scope)| !scope.is_control).map(|(end, _)| &name[..end]) {
                if scopes.contains(scope) {
                    continue;
                }
                budget.spend(NAME + scope.len())?;
                scopes.insert(scope.to_owned());
            }
            budget.spend(NAME + name.len())?;
            nodes.insert(name);
        }
        let is_operation = |scope: &&String| {
            let (part, plain) = (last(scope), without_number(last(scope)));
            let before = &scope[..scope.len() - part.len()];
            let first = || scopes.contains(&format!("{before}{plain}"));
            // The parts of an operation stand in what looks like a scope, and so do those of a function of TensorFlow's.
            let is_numbered = part != plain && !before.is_empty();
            is_numbered && (nodes.contains(*scope) || without_number(plain) == plain && first())
        };
        let operations = scopes.iter().filter(|scope| !self.is_known(scope)).filter(is_operation);
        Ok(operations.cloned().collect())
    }

    /// Whether the scopes of a model have numbers that their owners have not.
    pub(super) fn is_numbered(&self, path: &[Scope<'_>]) -> bool {
        path.first().is_some_and(|root| self.numbered.get(root.part).copied().unwrap_or(false))
    }

    /// Whether a scope can't be a layer's, since it is not numbered as those are.
    pub(super) fn is_operation(&self, path: &[Scope<'_>]) -> bool {
        let scope = joined(path);
        let own = last(&scope);
        self.is_numbered(path)
            && !self.is_known(&scope)
            && (own == without_number(own) || self.operations.contains(&scope))
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
            None if self.numbered.get(root).copied().unwrap_or(false) && !self.operations.contains(scope) => {
                without_number(part)
            }
            None => part,
        }
    }

    /// The name of a node with the names of owners in place of those of scopes.
    pub fn of_node<E: Engine>(&self, graph: &Graph<E>, node: u32) -> Names {
        let path = path(graph, node);
        let Some((own, scopes)) = path.split_last().filter(|(_, scopes)| scopes.len() <= SCOPE_DEPTH) else {
            let name = graph.nodes[node as usize].name.clone();
            return Names { short: name.clone(), owned: name, bodies: Vec::new() };
        };
        let mut names = self.of_scope(scopes);
        for name in [&mut names.short, &mut names.owned] {
            push(name, own.part);
        }
        names
    }

    /// The name of a scope's owner, with those around it.
    pub(super) fn of_scope(&self, scopes: &[Scope<'_>]) -> Names {
        let mut scope = String::new();
        let mut names = Names::default();
        for Scope { part, is_control, body } in scopes {
            push(&mut scope, part);
            let owner = match is_control {
                true => part,
                false => self.owner(&scope, part, scopes[0].part),
            };
            push(&mut names.short, owner);
            if !is_control {
                push(&mut names.owned, owner);
            }
            let (short, scope) = (names.short.len(), scope.len());
            names.bodies.extend(body.map(|body| BodyEnd { body, short, scope }));
        }
        names
    }
}

fn push(name: &mut String, part: &str) {
    if !name.is_empty() {
        name.push('/');
    }
    name.push_str(part);
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
        assert!(is_call("StatefulPartitionedCall") && is_call("PartitionedCall_2") && !is_call("call_1"));
    }
}
