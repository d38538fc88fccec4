//! A file that is open, compared with what was written down of another.

use super::names::{crossed, paired};
use super::{Node, Place, Record, Recorded};
use crate::graph::{Engine, Value};
use crate::open::Structure;

/// What of a file stands for what of the record.
#[derive(Debug)]
pub struct Match {
    /// Every tensor that the nodes of the record give.
    pub tensors: Vec<Value>,
    /// The functions of branches and loops.
    pub bodies: Vec<u32>,
    /// The inputs.
    pub inputs: Vec<usize>,
    /// The outputs.
    pub outputs: Vec<usize>,
}

impl Record<'_> {
    /// Finds everything in a file that has the same structure.
    ///
    /// # Errors
    /// The first difference, in words.
    pub fn find<E: Engine>(&self, structure: &Structure<E>) -> Result<Match, String> {
        let graph = &structure.graph;
        let own: Vec<&str> = graph.inputs.iter().map(|input| input.name.as_str()).collect();
        let inputs = paired(self.inputs, &own).ok_or_else(|| others("takes", "took", &own, self.inputs))?;
        let own: Vec<&str> = graph.outputs.iter().map(|output| output.name.as_str()).collect();
        let known: Vec<&str> = self.outputs.iter().map(|(name, _)| *name).collect();
        let outputs = paired(&known, &own).ok_or_else(|| others("gives", "gave", &own, &known))?;
        let here = structure.recorded(&inputs, &outputs);
        here.with(|here| self.difference(here).map_or(Ok(()), Err))?;
        let Recorded { order, .. } = here;
        let tensors = order.nodes.iter().flat_map(|&node| {
            let outputs = 0..graph.nodes[node as usize].outputs.len() as u32;
            outputs.map(move |output| Value { node, output })
        });
        Ok(Match { tensors: tensors.collect(), bodies: order.bodies, inputs, outputs })
    }

    /// Where another record is another, in words.
    fn difference(&self, here: Record<'_>) -> Option<String> {
        let nodes = self.nodes.iter().zip(here.nodes);
        let outputs = self.outputs.iter().zip(here.outputs);
        let same = |(there, own): (&Node<'_>, &Node<'_>)| (there.1, there.2, there.3) == (own.1, own.2, own.3);
        let is_same = self.nodes.len() == here.nodes.len()
            && nodes.clone().all(same)
            && outputs.clone().all(|((_, there), (_, own))| there == own);
        if !is_same {
            let told =
                self.walk(&here).or_else(|| nodes.clone().find_map(|(there, own)| self.of_node(there, &here, own)));
            let told = told.or_else(|| {
                let (there, own) = outputs.clone().find(|((_, there), (_, own))| there != own)?;
                let what = both("the output ", own.0, there.0);
                Some(format!("{what} is {}, and was {}", value(&here, &own.1), value(self, &there.1)))
            });
            return told.or_else(|| Some(self.counts(&here)));
        }
        let weights = nodes.filter(|(node, _)| is_weight(node)).map(|(there, own)| (there.0, own.0));
        let (there, own) = crossed(&weights.collect::<Vec<_>>())?;
        Some(format!(
            "the weight `{own}` is used where `{there}` was, and need not be the same layer's: other names, or numbers in another \
             order"
        ))
    }

    fn counts(&self, here: &Record<'_>) -> String {
        let (before, now) = (self.nodes.len(), here.nodes.len());
        let such = |nodes: &[Node<'_>], from: usize| nodes.get(from).map_or_else(String::new, described);
        match now > before {
            true => format!("it has {now} nodes, and had {before}: more is {}", such(here.nodes, before)),
            false => format!("it has {now} nodes, and had {before}: less is {}", such(self.nodes, now)),
        }
    }

    /// The first difference on the way from the outputs to what they are made of, in both at once: that is where a person
    /// would see it. What a node gives follows from what it takes, and is looked at behind it.
    fn walk(&self, here: &Record<'_>) -> Option<String> {
        let mut seen = vec![false; self.nodes.len()];
        for ((_, (there, _)), (_, (own, _))) in self.outputs.iter().zip(here.outputs) {
            let mut open = Vec::new();
            let mut next = Some((*there, *own));
            loop {
                if let Some((there, own)) = next
                    && let (Some(node), Some(other)) = (self.nodes.get(there as usize), here.nodes.get(own as usize))
                    && !std::mem::replace(&mut seen[there as usize], true)
                {
                    if let Some(why) = does(node, other) {
                        return Some(why);
                    }
                    let takes = node.2.iter().zip(other.2).map(|((there, _), (own, _))| (*there, *own));
                    open.push((node, other, takes));
                }
                let Some((node, other, takes)) = open.last_mut() else { break };
                next = takes.next();
                if next.is_none() {
                    if let Some(why) = gives(node, other) {
                        return Some(why);
                    }
                    open.pop();
                }
            }
        }
        None
    }

    /// How a node differs.
    fn of_node(&self, there: &Node<'_>, here: &Record<'_>, own: &Node<'_>) -> Option<String> {
        does(there, own).or_else(|| gives(there, own)).or_else(|| {
            let at = there.2.iter().zip(own.2).position(|(there, own)| there != own)?;
            let (node, place) = (both("", own.0, there.0), at + 1);
            let [takes, took] = [value(here, &own.2[at]), value(self, &there.2[at])];
            Some(format!("{node} takes {takes} as its value {place}, and took {took}"))
        })
    }
}

/// How what a node does is another: its operation, its attributes, which weight or which constant it is.
fn does(there: &Node<'_>, own: &Node<'_>) -> Option<String> {
    let (Node(name, what, takes, gives), Node(own_name, own_what, own_takes, own_gives)) = (there, own);
    if is_weight(there) && is_weight(own) {
        // Of another shape, it need not be asked whose it is.
        return (what != own_what && gives == own_gives)
            .then(|| format!("{} is used where {} was", weight(own), weight(there)));
    }
    let split = |words: &'_ str| words.split("; ").map(str::to_owned).collect::<Vec<_>>();
    let (parts, own_parts) = (split(what), split(own_what));
    if parts[0] != own_parts[0] {
        return Some(format!("{} stands where {} was", described(own), described(there)));
    }
    let node = both("", own_name, name);
    if what != own_what {
        if parts[0] == "Const" {
            return Some(format!(
                "the constant {node} is {}, and was {}",
                own_parts[1..].join("; "),
                parts[1..].join("; ")
            ));
        }
        let only = |parts: &[String], others: &[String]| parts.iter().find(|part| !others.contains(part)).cloned();
        let (now, before) = (only(&own_parts, &parts), only(&parts, &own_parts));
        let attribute =
            now.as_ref().or(before.as_ref()).and_then(|part| part.split_once('=')).map(|(name, _)| name.to_owned());
        let of = |parts: &[String]| {
            let values = parts.iter().filter_map(|part| part.split_once('='));
            values.into_iter().find(|(name, _)| Some(*name) == attribute.as_deref()).map(|(_, value)| value.to_owned())
        };
        let or = |value: Option<String>, other: &str| value.unwrap_or_else(|| other.to_owned());
        return Some(match &attribute {
            Some(name) => format!(
                "`{name}` of {node} is {}, and was {}",
                or(of(&own_parts), "what it is by default"),
                or(of(&parts), "what it is by default")
            ),
            None => {
                format!("{node} stands elsewhere: {}, and was {}", or(now, "in no function"), or(before, "in none"))
            }
        });
    }
    (takes.len() != own_takes.len())
        .then(|| format!("{node} takes {} values, and took {}", own_takes.len(), takes.len()))
}

/// How what a node gives is another.
fn gives(there: &Node<'_>, own: &Node<'_>) -> Option<String> {
    let (Node(name, what, _, gives), Node(own_name, _, _, own_gives)) = (there, own);
    let kind = match *what {
        _ if is_weight(there) => "the weight ",
        what if what.starts_with("the input ") => "the input ",
        _ => "",
    };
    (gives != own_gives).then(|| format!("{} is {own_gives}, and was {gives}", both(kind, own_name, name)))
}

fn weight(Node(name, what, ..): &Node<'_>) -> String {
    match what.strip_prefix("the weight ") {
        Some(owner) => format!("the weight `{name}` (`{owner}` of what was saved)"),
        None => format!("the weight `{name}`"),
    }
}

fn is_weight(node: &Node<'_>) -> bool {
    node.1.starts_with("the weight ") || node.1.starts_with("a weight")
}

fn described(node: &Node<'_>) -> String {
    match node.1.split("; ").next().unwrap_or_default() {
        _ if is_weight(node) => weight(node),
        own if own.starts_with("the ") => {
            format!("{} `{}`", own.rsplit_once(' ').map_or(own, |(kind, _)| kind), node.0)
        }
        op => format!("`{}` ({op})", node.0),
    }
}

/// A name here, with the one there if it is another.
fn both(kind: &str, own: &str, there: &str) -> String {
    match own == there {
        true => format!("{kind}`{own}`"),
        false => format!("{kind}`{own}`, which was `{there}`,"),
    }
}

/// A value by the name of its node.
fn value(record: &Record<'_>, (node, output): &Place) -> String {
    let name = record.nodes.get(*node as usize).map_or("?", |node| node.0);
    match output {
        0 => format!("`{name}`"),
        _ => format!("`{name}:{output}`"),
    }
}

fn others(takes: &str, took: &str, own: &[&str], there: &[&str]) -> String {
    let listed = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    format!("the signature {takes} {}, and {took} {}", listed(own), listed(there))
}
