//! TensorFlow 1's own control flow as functions that are called: what stands between `Switch` and `Merge` becomes an `If`,
//! what stands in a frame becomes a `While`.
//!
//! A `Merge` that is lowered keeps its name, and so does an `Exit`, which then passes on what the loop gives. What is inside
//! stays where it is, too, and can't be computed there: it has no value, or one for every step.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::local::node_of;
use crate::limits::{Budget, LOWERED_NODES, LOWERING, PASSED};
use crate::proto::NodeDef;

const RESOURCE: i64 = 20;
const INT32: i64 = 3;
const BOOL: i64 = 10;
/// Of lists, which TensorFlow 1 passes on as the flow between those that write to them.
pub(super) const VARIANT: i64 = 21;

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn field(number: u64, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, number << 3 | 2);
    put(&mut out, bytes.as_ref().len() as u64);
    out.extend_from_slice(bytes.as_ref());
    out
}

fn number(at: u64, value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, at << 3);
    put(&mut out, value.cast_unsigned());
    out
}

/// A node that can be changed.
#[derive(Clone, Debug)]
struct Own {
    op: String,
    inputs: Vec<String>,
    attrs: BTreeMap<String, Vec<u8>>,
    /// The frame that an `Enter` leads into.
    frame: Option<String>,
}

impl Own {
    fn data(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().map(String::as_str).filter(|input| !input.starts_with('^'))
    }

    /// About as many bytes as it has.
    fn len(&self) -> usize {
        let attrs: usize = self.attrs.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.op.len() + self.inputs.iter().map(String::len).sum::<usize>() + attrs
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        let mut out = [field(1, name), field(2, &self.op)].concat();
        self.inputs.iter().for_each(|input| out.extend(field(3, input)));
        self.attrs.iter().for_each(|(name, value)| out.extend(field(5, [field(1, name), field(2, value)].concat())));
        out
    }
}

/// `node` and `1` of `node:1`.
fn split(reference: &str) -> (&str, usize) {
    match reference.split_once(':') {
        Some((node, output)) => (node, output.parse().unwrap_or(0)),
        None => (reference, 0),
    }
}

fn is(node: &Own, op: &str) -> bool {
    node.op == op || node.op.strip_prefix("Ref") == Some(op)
}

/// Whether an operation gives a list of TensorFlow 1.
pub(super) fn flows(op: &str) -> bool {
    matches!(op, "TensorArrayV3" | "TensorArrayWriteV3" | "TensorArrayScatterV3" | "TensorArraySplitV3")
}

/// The nodes as they are and become, and the functions made of them.
struct Lowering<'b> {
    nodes: BTreeMap<String, Own>,
    types: HashMap<String, i64>,
    changed: BTreeSet<String>,
    functions: Vec<u8>,
    /// How many nodes may yet be looked at: what is not lowered by then is not.
    left: std::cell::Cell<usize>,
    /// Pays for the nodes in functions: one may stand in a great many.
    budget: &'b Budget,
}

/// A graph of the nodes that take the place of others, and of the functions that they call, as a message; empty if there
/// is no such control flow.
pub(super) fn lower(nodes: &HashMap<&str, &NodeDef<'_>>, budget: &Budget) -> Vec<u8> {
    let has = |op: &str| nodes.values().any(|node| node.op == op || node.op.strip_prefix("Ref") == Some(op));
    if nodes.len() > LOWERED_NODES || !(has("Merge") || has("Exit")) {
        return Vec::new();
    }
    let own = |node: &&NodeDef<'_>| Own {
        op: node.op.to_owned(),
        inputs: node.inputs.iter().map(|input| (*input).to_owned()).collect(),
        attrs: node.attrs.raw().map(|(name, value)| (name.to_owned(), value.to_vec())).collect(),
        frame: node.attrs.str("frame_name").ok().flatten().map(str::to_owned),
    };
    let types = nodes.values().filter_map(|node| Some((node.name.to_owned(), node.attrs.ty("T").ok()??)));
    let types = types.map(|(name, ty)| (name, if (101..200).contains(&ty) { ty - 100 } else { ty })).collect();
    let nodes = nodes.iter().map(|(name, node)| ((*name).to_owned(), own(node))).collect();
    let (changed, functions) = Default::default();
    let mut lowering = Lowering { nodes, types, changed, functions, left: LOWERING.into(), budget };
    // What stands inside others comes first: it is what can be lowered first.
    while lowering.left.get() > 0 && (lowering.some_condition() || lowering.some_loop()) {}
    let mut graph = Vec::new();
    for name in &lowering.changed {
        graph.extend(field(1, lowering.nodes[name].bytes(name)));
    }
    if !lowering.functions.is_empty() {
        graph.extend(field(2, &lowering.functions));
    }
    graph
}

/// What a function is made of: its nodes, and what comes in, by the references that stand for it inside.
#[derive(Debug, Default)]
struct Region {
    nodes: BTreeSet<String>,
    ends: BTreeSet<String>,
}

impl Lowering<'_> {
    /// `None` if too much was looked at.
    fn spend(&self, nodes: usize) -> Option<()> {
        self.left.set(self.left.get().checked_sub(nodes)?);
        Some(())
    }

    /// What some values depend on, as far as `stop` goes; `None` if control flow stands in between that is yet to be
    /// lowered, or a variable that is written to.
    fn region(&self, from: &[&str], stop: impl Fn(&str, &Own) -> bool) -> Option<Region> {
        let mut region = Region::default();
        let mut left: Vec<String> = from.iter().map(|name| (*name).to_owned()).collect();
        while let Some(reference) = left.pop() {
            self.spend(1)?;
            let name = node_of(&reference);
            let node = self.nodes.get(name)?;
            if stop(name, node) {
                region.ends.insert(reference);
                continue;
            }
            let open = ["Switch", "Merge", "Enter", "Exit", "NextIteration", "LoopCond"].iter().any(|op| is(node, op));
            // What is given, or written to, is no part of a function.
            let outer = ["Assign", "Placeholder", "Variable", "VarHandleOp"].iter().any(|op| node.op.starts_with(op));
            if open || outer && node.op != "PlaceholderWithDefault" {
                return None;
            }
            if region.nodes.insert(name.to_owned()) {
                left.extend(node.data().map(str::to_owned));
            }
        }
        Some(region)
    }

    /// Adds a function of `arguments` (a name for each reference, and its type). `None` if there is no room for its nodes.
    fn function(
        &mut self,
        name: &str,
        region: &Region,
        arguments: &[(String, String, i64)],
        gives: &[(String, i64)],
    ) -> Option<()> {
        let bytes: usize = region.nodes.iter().map(|name| name.len() + self.nodes[name].len()).sum();
        // While the graph is written, they are in memory a few times.
        self.budget.spend(6 * bytes).ok()?;
        let renamed = |reference: &str| {
            let plain = reference.strip_suffix(":0").unwrap_or(reference);
            let found = arguments.iter().find(|(outside, ..)| outside == plain);
            found.map_or_else(|| plain.to_owned(), |(_, inside, _)| inside.clone())
        };
        let argument = |at, name: &str, ty| field(at, [field(1, name), number(3, ty)].concat());
        let mut signature = field(1, name);
        let mut seen = BTreeSet::new();
        for (_, inside, ty) in arguments {
            if seen.insert(inside) {
                signature.extend(argument(2, inside, *ty));
            }
        }
        gives.iter().enumerate().for_each(|(at, (_, ty))| signature.extend(argument(3, &format!("out_{at}"), *ty)));
        let mut function = field(1, signature);
        for name in &region.nodes {
            let node = &self.nodes[name];
            let inputs = node.data().map(renamed).collect();
            function.extend(field(3, Own { inputs, ..node.clone() }.bytes(name)));
        }
        for (at, (value, _)) in gives.iter().enumerate() {
            function.extend(field(4, [field(1, format!("out_{at}")), field(2, renamed(value))].concat()));
        }
        self.functions.extend(field(1, function));
        Some(())
    }

    fn put(&mut self, name: &str, op: &str, inputs: Vec<String>, attrs: Vec<(&str, Vec<u8>)>) {
        let attrs = attrs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.nodes.insert(name.to_owned(), Own { op: op.to_owned(), inputs, attrs, frame: None });
        self.changed.insert(name.to_owned());
    }

    fn ty(&self, reference: &str) -> i64 {
        let name = node_of(reference);
        match self.nodes.get(name).map(|node| node.op.as_str()) {
            Some("VarHandleOp") => RESOURCE,
            _ if self.is_list(reference) => VARIANT,
            _ => self.types.get(name).copied().unwrap_or(0),
        }
    }

    /// Whether a value is what `TensorArray` or an operation that writes to it gives.
    fn is_list(&self, reference: &str) -> bool {
        let mut reference = reference;
        for _ in 0..PASSED {
            let (name, output) = split(reference);
            let Some(node) = self.nodes.get(name) else { return false };
            let passes = ["Identity", "Enter", "Switch", "Merge", "Exit", "NextIteration"];
            let place = match node.op.as_str() {
                "StatelessWhile" => output,
                op if passes.contains(&op.trim_end_matches("OfLoop").trim_start_matches("Ref")) => 0,
                op => return flows(op),
            };
            let Some(input) = node.data().nth(place) else { return false };
            reference = input;
        }
        false
    }

    /// Lowers a `Merge` of two branches that have nothing open inside.
    fn some_condition(&mut self) -> bool {
        if self.spend(self.nodes.len()).is_none() {
            return false;
        }
        let merges: Vec<String> =
            self.nodes.iter().filter(|(_, node)| is(node, "Merge")).map(|(n, _)| n.clone()).collect();
        merges.iter().any(|name| self.condition(name).is_some())
    }

    fn condition(&mut self, name: &str) -> Option<()> {
        self.spend(1)?;
        let merge = self.nodes.get(name)?.clone();
        let branches: Vec<&str> = merge.data().collect();
        let [on_false, on_true] = branches[..] else { return None };
        let is_switch = |_: &str, node: &Own| is(node, "Switch");
        let regions = [self.region(&[on_false], is_switch)?, self.region(&[on_true], is_switch)?];
        // The condition is what the switches have in common; where there are none, what constants stand behind.
        let mut conditions = BTreeSet::new();
        let mut taken: Vec<(String, usize)> = Vec::new();
        for (side, region) in regions.iter().enumerate() {
            for end in &region.ends {
                let (switch, output) = split(end);
                let inputs: Vec<&str> = self.nodes[switch].data().collect();
                let [_, condition] = inputs[..] else { return None };
                if output != side {
                    return None;
                }
                conditions.insert(self.origin(condition));
                taken.push((end.clone(), side));
            }
            for node in &region.nodes {
                conditions.extend(self.pivots(&self.nodes[node], side)?);
            }
        }
        let condition = conditions.pop_first().filter(|_| conditions.is_empty())?;
        // One argument for each value that a switch passes on.
        let mut values: Vec<String> = Vec::new();
        let mut arguments = [Vec::new(), Vec::new()];
        for (end, side) in &taken {
            let value = self.nodes[node_of(end)].data().next()?.to_owned();
            let place = values.iter().position(|known| *known == value).unwrap_or_else(|| {
                values.push(value.clone());
                values.len() - 1
            });
            let plain = end.strip_suffix(":0").unwrap_or(end).to_owned();
            arguments[*side].push((plain, place, self.ty(end)));
        }
        // Both take all.
        let types: Vec<i64> = (0..values.len())
            .map(|at| arguments.iter().flatten().find(|(_, place, _)| *place == at).map_or(0, |(.., ty)| *ty))
            .collect();
        let ty = self.ty(name);
        let mut functions = Vec::new();
        for (side, (region, end)) in regions.iter().zip([on_false, on_true]).enumerate() {
            let function = format!("{name}/{}", ["else", "then"][side]);
            let mut own: Vec<(String, String, i64)> = arguments[side]
                .iter()
                .map(|(reference, place, ty)| (reference.clone(), format!("argument_{place}"), *ty))
                .collect();
            own.extend(types.iter().enumerate().map(|(at, ty)| (String::new(), format!("argument_{at}"), *ty)));
            own.sort_by_key(|(_, inside, _)| inside["argument_".len()..].parse::<usize>().unwrap_or(0));
            let index = format!("{name}/value_index");
            self.spend(region.nodes.len().checked_mul(own.len())?)?;
            if self.nodes.contains_key(&index) {
                return None;
            }
            let which = field(8, [number(1, INT32), field(2, []), number(7, side as i64)].concat());
            let constant = [("value".to_owned(), which), ("dtype".to_owned(), number(6, INT32))];
            let mut region = Region { nodes: region.nodes.clone(), ends: BTreeSet::new() };
            region.nodes.insert(index.clone());
            self.nodes.insert(
                index.clone(),
                Own { op: "Const".into(), inputs: Vec::new(), attrs: constant.into(), frame: None },
            );
            let made = self.function(&function, &region, &own, &[(end.to_owned(), ty), (index.clone(), INT32)]);
            self.nodes.remove(&index);
            made?;
            functions.push(field(10, field(1, function)));
        }
        let [on_false, on_true] = <[Vec<u8>; 2]>::try_from(functions).ok()?;
        let inputs = [vec![condition], values].concat();
        let list = |types: &[i64]| field(1, types.iter().flat_map(|ty| number(6, *ty)).collect::<Vec<u8>>());
        let attrs = vec![
            ("else_branch", on_false),
            ("then_branch", on_true),
            ("Tcond", number(6, BOOL)),
            ("Tin", list(&types)),
            ("Tout", list(&[ty, INT32])),
        ];
        self.put(name, "StatelessIf", inputs, attrs);
        Some(())
    }

    /// What a value is that only passes through.
    fn origin(&self, reference: &str) -> String {
        let mut reference = reference;
        for _ in 0..PASSED {
            let Some(node) = self.nodes.get(node_of(reference)).filter(|node| node.op == "Identity") else { break };
            let Some(input) = node.data().next() else { break };
            reference = input;
        }
        reference.strip_suffix(":0").unwrap_or(reference).to_owned()
    }

    /// The conditions that a node without inputs waits for; `None` if it waits for the other side.
    fn pivots(&self, node: &Own, side: usize) -> Option<Vec<String>> {
        let mut found = Vec::new();
        for control in node.inputs.iter().filter_map(|input| input.strip_prefix('^')) {
            let pivot = self.nodes.get(control)?;
            let from = pivot.data().next().filter(|_| pivot.op == "Identity");
            if let Some((switch, output)) = from.map(split)
                && let Some(switch) = self.nodes.get(switch).filter(|node| is(node, "Switch"))
            {
                if output != side {
                    return None;
                }
                found.push(self.origin(switch.data().nth(1)?));
            }
        }
        Some(found)
    }

    /// Lowers a loop that has nothing open inside.
    fn some_loop(&mut self) -> bool {
        let enters = self.nodes.values().filter(|node| is(node, "Enter"));
        let frames: BTreeSet<String> = enters.filter_map(|node| node.frame.clone()).collect();
        frames.iter().any(|frame| self.frame(frame).is_some())
    }

    fn frame(&mut self, frame: &str) -> Option<()> {
        self.spend(self.nodes.len())?;
        let name = format!("{frame}/While");
        if self.nodes.contains_key(&name) {
            return None;
        }
        let of_frame = |node: &Own| is(node, "Enter") && node.frame.as_deref() == Some(frame);
        let enters: BTreeSet<String> =
            self.nodes.iter().filter(|(_, node)| of_frame(node)).map(|(name, _)| name.clone()).collect();
        let first = |node: &Own, at| node.data().nth(at).map(|input| node_of(input).to_owned());
        // The values that change: where they come in, where they are, where they go, and what they become.
        let mut states = Vec::new();
        for (name, node) in self.nodes.iter().filter(|(_, node)| is(node, "Merge")) {
            let Some(enter) = first(node, 0).filter(|enter| enters.contains(enter)) else { continue };
            self.spend(self.nodes.len())?;
            let next = self.nodes.get(&first(node, 1)?).filter(|next| is(next, "NextIteration"))?;
            let takes = |other: &Own| is(other, "Switch") && first(other, 0).as_ref() == Some(name);
            let switch = self.nodes.iter().find(|(_, other)| takes(other)).map(|(name, _)| name.clone())?;
            states.push((enter, name.clone(), switch, next.data().next()?.to_owned()));
        }
        let condition = first(self.nodes.get(&states.first()?.2)?, 1)?;
        let goes_on = self.nodes.get(&condition).filter(|node| is(node, "LoopCond"))?.data().next()?.to_owned();
        let fixed: Vec<String> =
            enters.iter().filter(|enter| states.iter().all(|(own, ..)| own != *enter)).cloned().collect();
        let inside = |name: &str, _: &Own| {
            enters.contains(name) || states.iter().any(|(_, merge, switch, _)| merge == name || switch == name)
        };
        let next: Vec<&str> = states.iter().map(|(.., next)| next.as_str()).collect();
        let regions = [self.region(&[&goes_on], inside)?, self.region(&next, inside)?];
        // A loop's own values are behind its switches in the body, and before them in the condition.
        let known = |end: &String, in_body: bool| {
            let (name, output) = split(end);
            fixed.iter().any(|enter| enter == name)
                || states.iter().any(|(_, merge, switch, _)| match in_body {
                    true => switch == name && output == 1,
                    false => merge == name && output == 0,
                })
        };
        if !regions[0].ends.iter().all(|end| known(end, false)) || !regions[1].ends.iter().all(|end| known(end, true)) {
            return None;
        }
        let mut types = Vec::new();
        let mut arguments = [Vec::new(), Vec::new()];
        for (at, (enter, merge, switch, _)) in states.iter().enumerate() {
            let ty = self.ty(enter);
            arguments[0].push((merge.clone(), format!("argument_{at}"), ty));
            arguments[1].push((format!("{switch}:1"), format!("argument_{at}"), ty));
            types.push(ty);
        }
        for (at, enter) in (states.len()..).zip(&fixed) {
            let ty = self.ty(enter);
            arguments.iter_mut().for_each(|own| own.push((enter.clone(), format!("argument_{at}"), ty)));
            types.push(ty);
        }
        let gives: Vec<(String, i64)> = next
            .iter()
            .map(|next| (*next).to_owned())
            .chain(fixed.iter().cloned())
            .zip(types.iter().copied())
            .collect();
        let parts = regions.iter().map(|region| region.nodes.len()).sum::<usize>();
        self.spend(parts.checked_mul(types.len())?)?;
        self.function(&format!("{name}/cond"), &regions[0], &arguments[0], &[(goes_on, BOOL)])?;
        self.function(&format!("{name}/body"), &regions[1], &arguments[1], &gives)?;
        let come_in = states.iter().map(|(enter, ..)| enter).chain(&fixed);
        let inputs =
            come_in.map(|enter| Some(self.nodes[enter].data().next()?.to_owned())).collect::<Option<Vec<_>>>()?;
        let of = |part: &str| field(10, field(1, format!("{name}/{part}")));
        let list = field(1, types.iter().flat_map(|ty| number(6, *ty)).collect::<Vec<u8>>());
        self.put(&name, "StatelessWhile", inputs, vec![("cond", of("cond")), ("body", of("body")), ("T", list)]);
        // What comes out.
        let exits: Vec<(String, usize)> = self
            .nodes
            .iter()
            .filter(|(_, node)| is(node, "Exit"))
            .filter_map(|(exit, node)| {
                let switch = first(node, 0)?;
                Some((exit.clone(), states.iter().position(|(_, _, own, _)| *own == switch)?))
            })
            .collect();
        for (exit, at) in exits {
            self.put(&exit, "Identity", vec![format!("{name}:{at}")], vec![("T", number(6, types[at]))]);
        }
        for (enter, merge, switch, _) in &states {
            for gone in [enter, merge, switch] {
                self.gone(gone);
            }
        }
        fixed.iter().for_each(|enter| self.gone(enter));
        Some(())
    }

    /// What is a part of a loop is none any more to what is looked for next.
    fn gone(&mut self, name: &str) {
        if let Some(node) = self.nodes.get_mut(name) {
            node.op = format!("{}OfLoop", node.op);
        }
    }
}
