//! What the graph of TensorFlow 1 says of its own checkpoint: which key, and which part of its tensor, every variable is
//! restored from.

use std::collections::HashMap;

use super::flat::ancestors;
use super::local::node_of;
use crate::proto::{Attr, NodeDef, TensorProto};
use crate::slices::Slice;

/// A key, and the part of its tensor if it is not all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) key: String,
    pub(super) part: Option<Slice>,
}

/// Of every variable that is restored, by the name of its node; `restore` is the node that restores all.
pub(super) fn sources<'a>(nodes: &HashMap<&'a str, &'a NodeDef<'a>>, restore: &str) -> HashMap<&'a str, Source> {
    let mut sources = HashMap::new();
    // Other nodes restore from other checkpoints.
    let restoring = ancestors(nodes, &[node_of(restore)]);
    let nodes_of = |name: &&str| nodes.get(*name).copied();
    for node in restoring.iter().filter_map(nodes_of).filter(|n| matches!(n.op, "Assign" | "AssignVariableOp")) {
        let [variable, value, ..] = node.inputs.as_slice() else { continue };
        if let Some(source) = source(nodes, value) {
            sources.insert(node_of(variable), source);
        }
    }
    sources
}

/// What a restored value is read from.
fn source(nodes: &HashMap<&str, &NodeDef<'_>>, value: &str) -> Option<Source> {
    let mut value = value;
    // It may pass through a node that does nothing.
    for _ in 0..4 {
        let node = nodes.get(node_of(value))?;
        match node.op {
            "Identity" => value = node.inputs.first()?,
            "RestoreV2" => {
                let output = value.split_once(':').map_or(Some(0), |(_, output)| output.parse::<usize>().ok())?;
                let [_, names, parts, ..] = node.inputs.as_slice() else { return None };
                let key = string(nodes, names, output)?;
                return Some(Source { part: part(&string(nodes, parts, output)?)?, key });
            }
            _ => return None,
        }
    }
    None
}

/// One string of a constant of strings.
fn string(nodes: &HashMap<&str, &NodeDef<'_>>, constant: &str, at: usize) -> Option<String> {
    let node = nodes.get(node_of(constant)).filter(|node| node.op == "Const")?;
    let Ok(Some(Attr::Tensor(message))) = node.attrs.get("value") else { return None };
    let tensor = TensorProto::parse(message).ok()?;
    // The last is repeated as often as is needed.
    let text = tensor.strings.get(at).or(tensor.strings.last())?;
    String::from_utf8(text.to_vec()).ok()
}

/// A part as it is written: the sizes of the whole, and `first,len` for every axis, or `-` for all of it; nothing for the
/// whole. `None` for what is no part.
fn part(text: &str) -> Option<Option<Slice>> {
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
