//! The names within one function or one graph: what `node:output:3` or `node:3` stands for.

use std::collections::HashMap;

use super::Value;
use crate::{Error, Result};

/// What a name stands for.
#[derive(Clone, Debug, Default)]
pub(super) struct Named<'a> {
    /// The values, all outputs in a row. `None` for one that there is not.
    pub(super) values: Vec<Option<Value>>,
    /// Name, first value and number of values of every output.
    pub(super) outputs: Vec<(&'a str, usize, usize)>,
    /// What must have run once this has: the nodes with effects in it.
    pub(super) effects: Vec<u32>,
}

/// The names of one function or graph.
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    named: HashMap<&'a str, Named<'a>>,
}

/// The name of the node in a reference to one of its values.
pub(super) fn node_of(reference: &str) -> &str {
    let reference = reference.strip_prefix('^').unwrap_or(reference);
    reference.split(':').next().unwrap_or(reference)
}

impl<'a> Names<'a> {
    pub(super) fn insert(&mut self, name: &'a str, named: Named<'a>) {
        self.named.insert(name, named);
    }

    pub(super) fn get(&self, name: &str) -> Option<&Named<'a>> {
        self.named.get(name)
    }

    /// The value that a reference stands for: `arg`, `node`, `node:1`, `node:output`, `node:output:1`.
    pub(super) fn value(&self, reference: &str) -> Result<Value> {
        let unknown = || Error::Msg(format!("the value `{reference}` is not there"));
        let mut parts = reference.split(':');
        let named = parts.next().and_then(|name| self.named.get(name)).ok_or_else(unknown)?;
        let number = |text: &str| text.parse::<usize>().map_err(|_| unknown());
        let place = match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => 0,
            (Some(part), None, _) => match named.outputs.iter().find(|(name, ..)| *name == part) {
                Some((_, first, _)) => *first,
                None => number(part)?,
            },
            (Some(output), Some(place), None) => {
                let place = number(place)?;
                // Without a description of the operation the outputs have no names.
                let (first, len) = match named.outputs.iter().find(|(name, ..)| *name == output) {
                    Some((_, first, len)) => (*first, *len),
                    None if named.outputs.is_empty() => (0, named.values.len()),
                    None => return Err(unknown()),
                };
                if place >= len {
                    return Err(unknown());
                }
                first + place
            }
            _ => return Err(unknown()),
        };
        named.values.get(place).copied().flatten().ok_or_else(unknown)
    }
}

/// The order in which nodes can be computed, by their places; those in cycles and behind them are left out.
pub(super) fn order(names: &[&str], inputs: &[Vec<&str>]) -> Vec<usize> {
    let places: HashMap<&str, usize> = names.iter().enumerate().map(|(place, name)| (*name, place)).collect();
    let mut waiting = vec![0usize; names.len()];
    let mut followers = vec![Vec::new(); names.len()];
    for (place, inputs) in inputs.iter().enumerate() {
        for input in inputs {
            if let Some(&before) = places.get(node_of(input)) {
                waiting[place] += 1;
                followers[before].push(place);
            }
        }
    }
    // As in the file, where nothing else is asked for.
    let mut ready: std::collections::BinaryHeap<std::cmp::Reverse<usize>> =
        (0..names.len()).filter(|place| waiting[*place] == 0).map(std::cmp::Reverse).collect();
    let mut order = Vec::with_capacity(names.len());
    while let Some(std::cmp::Reverse(place)) = ready.pop() {
        order.push(place);
        for &follower in &followers[place] {
            waiting[follower] -= 1;
            if waiting[follower] == 0 {
                ready.push(std::cmp::Reverse(follower));
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_find_their_values() {
        let mut names = Names::default();
        let value = |output| Some(Value { node: 7, output });
        names.insert("x", Named { values: vec![value(0)], ..Named::default() });
        let outputs = vec![("a", 0, 1), ("list", 1, 2)];
        names.insert("n", Named { values: vec![value(0), value(1), value(2)], outputs, effects: Vec::new() });
        let output = |reference: &str| names.value(reference).map(|value| value.output).ok();
        assert_eq!(output("x"), Some(0));
        assert_eq!(output("n:2"), Some(2));
        assert_eq!(output("n:list:1"), Some(2));
        assert_eq!(output("n:list"), Some(1));
        for unknown in ["y", "n:3", "n:list:2", "n:b:0", "n:a:x", "n:a:0:0"] {
            assert_eq!(output(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn nodes_are_put_behind_what_they_need_and_cycles_left_out() {
        let inputs = vec![vec!["c:0"], vec![], vec!["b", "^b"], vec!["e"], vec!["d:1"], vec!["^d"], vec!["arg"]];
        assert_eq!(order(&["a", "b", "c", "d", "e", "f", "g"], &inputs), [1, 2, 0, 6]);
    }
}
