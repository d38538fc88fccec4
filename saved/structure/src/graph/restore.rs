//! What the graph of TensorFlow 1 says of its own checkpoint: which key, and which part of its tensor, every variable is
//! restored from.

use std::cell::RefCell;
use std::collections::HashMap;

use super::flat::ancestors;
use super::local::node_of;
use crate::limits::PART;
use crate::proto::{Attr, NodeDef, TensorProto};
use crate::slices::Slice;

/// A key, and the part of its tensor if it is not all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source<'a> {
    pub(super) key: &'a str,
    pub(super) part: Option<Slice>,
}

/// Of every variable that is restored, by the name of its node; `restore` is the node that restores all.
pub(super) fn sources<'a>(nodes: &HashMap<&'a str, &'a NodeDef<'a>>, restore: &str) -> HashMap<&'a str, Source<'a>> {
    let mut sources = HashMap::new();
    let strings = Strings { nodes, read: RefCell::default() };
    // Other nodes restore from other checkpoints.
    let restoring = ancestors(nodes, &[node_of(restore)]);
    let nodes_of = |name: &&str| nodes.get(*name).copied();
    for node in restoring.iter().filter_map(nodes_of).filter(|n| matches!(n.op, "Assign" | "AssignVariableOp")) {
        let [variable, value, ..] = node.inputs.as_slice() else { continue };
        if let Some(source) = strings.source(value) {
            sources.insert(node_of(variable), source);
        }
    }
    sources
}

/// Constants of strings, each read once: one has the keys of all variables.
struct Strings<'n, 'a> {
    nodes: &'n HashMap<&'a str, &'a NodeDef<'a>>,
    read: RefCell<HashMap<&'a str, Vec<&'a [u8]>>>,
}

impl<'a> Strings<'_, 'a> {
    /// What a restored value is read from.
    fn source(&self, value: &'a str) -> Option<Source<'a>> {
        let mut value = value;
        // It may pass through a node that does nothing.
        for _ in 0..4 {
            let node = self.nodes.get(node_of(value))?;
            match node.op {
                "Identity" => value = node.inputs.first()?,
                "RestoreV2" => {
                    let output = value.split_once(':').map_or(Some(0), |(_, output)| output.parse::<usize>().ok())?;
                    let [_, names, parts, ..] = node.inputs.as_slice() else { return None };
                    return Some(Source { key: self.get(names, output)?, part: part(self.get(parts, output)?)? });
                }
                _ => return None,
            }
        }
        None
    }

    /// One string of a constant.
    fn get(&self, constant: &str, at: usize) -> Option<&'a str> {
        let node = self.nodes.get(node_of(constant)).filter(|node| node.op == "Const")?;
        let mut read = self.read.borrow_mut();
        let strings = read.entry(node.name).or_insert_with(|| match node.attrs.get("value") {
            Ok(Some(Attr::Tensor(message))) => TensorProto::parse(message).map(|t| t.strings).unwrap_or_default(),
            _ => Vec::new(),
        });
        // The last is repeated as often as is needed.
        std::str::from_utf8(strings.get(at).or(strings.last())?).ok()
    }
}

/// A part as it is written: the sizes of the whole, and `first,len` for every axis, or `-` for all of it; nothing for the
/// whole. `None` for what is no part.
fn part(text: &str) -> Option<Option<Slice>> {
    if text.len() > PART {
        return None;
    }
    let Some((_, part)) = text.rsplit_once(' ') else { return text.is_empty().then_some(None) };
    let axes = part.split(':').map(|axis| match axis {
        "-" => Some((0, -1)),
        _ => {
            let (first, len) = axis.split_once(',')?;
            Some((first.parse().ok()?, len.parse().ok()?))
        }
    });
    axes.collect::<Option<Slice>>().map(Some)
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn parts_are_read() {
        assert_eq!(part(""), Some(None));
        assert_eq!(part("4 6 0,2:-"), Some(Some(vec![(0, 2), (0, -1)])));
        assert_eq!(part("6 4,2"), Some(Some(vec![(4, 2)])));
        for wrong in ["6", "6 4", "6 4,x"] {
            assert_eq!(part(wrong), None, "{wrong}");
        }
    }
}
