//! Branches and loops: functions that are called as often as values say.

use super::inline::{Inliner, Place};
use super::{Engine, Node, Port, Value, What};
use crate::dtype::Type;
use crate::proto::{Attrs, FunctionDef, NodeDef};
use crate::{Error, Result};

/// How many calls a branch or a loop counts as, of which there may not be more in each other than a thread has a stack for.
const DEEP: usize = 4;

/// A function that is not put in place of its call. Its first nodes are its arguments.
pub struct Body<E: Engine> {
    /// Its nodes.
    pub nodes: Vec<Node<E>>,
    /// What it gives.
    pub outputs: Vec<Value>,
    /// How often the values of each node are used; those of none are not computed.
    pub uses: Vec<u32>,
    arguments: usize,
}

impl<E: Engine> Body<E> {
    fn new(nodes: Vec<Node<E>>, outputs: Vec<Value>, arguments: usize) -> Result<Self> {
        let mut uses = vec![0; nodes.len()];
        let mut left: Vec<Value> = outputs.clone();
        while let Some(Value { node, .. }) = left.pop() {
            uses[node as usize] += 1;
            if uses[node as usize] == 1 {
                left.extend(&nodes[node as usize].inputs);
            }
        }
        for output in &outputs {
            let node = &nodes[output.node as usize];
            let Some(blame) = node.blocked.map(|blame| &nodes[blame as usize]) else { continue };
            if let What::Unsupported(why) = &blame.what {
                return Err(Error::Msg(format!(
                    "it depends on the node `{}` ({}) inside: {why}",
                    blame.name, blame.op
                )));
            }
        }
        Ok(Body { nodes, outputs, uses, arguments })
    }
}

impl<E: Engine> std::fmt::Debug for Body<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.nodes).finish()
    }
}

impl<'a, E: Engine> Inliner<'a, E> {
    /// What a branch or a loop does. `None` for any other node.
    pub(super) fn control(
        &mut self,
        node: &NodeDef<'a>,
        attrs: &Attrs<'a>,
        inputs: usize,
        place: Place<'_>,
    ) -> Result<Option<What<E>>> {
        let what = match node.op {
            "If" | "StatelessIf" => {
                // The condition is true or false, and branches are counted from 0.
                let branches = [attrs.function("else_branch")?, attrs.function("then_branch")?];
                What::Branch { bodies: self.bodies(&branches, place)?, condition: true }
            }
            "Case" | "StatelessCase" => {
                What::Branch { bodies: self.bodies(&attrs.functions("branches")?, place)?, condition: false }
            }
            "While" | "StatelessWhile" => {
                let [condition, body] = [attrs.function("cond")?, attrs.function("body")?];
                let bodies = self.bodies(&[condition, body], place)?;
                let Ok([condition, body]) = <[Body<E>; 2]>::try_from(bodies) else {
                    unreachable!("two were asked for")
                };
                let fits = condition.outputs.len() == 1 && condition.arguments == inputs;
                if !fits || body.outputs.len() != inputs || body.arguments != inputs {
                    return Err(Error::Msg("its functions do not take and give what it takes".to_owned()));
                }
                What::Loop { condition, body }
            }
            _ => return Ok(None),
        };
        if let What::Branch { bodies, .. } = &what {
            let same =
                bodies.iter().all(|body| body.arguments + 1 == inputs && body.outputs.len() == bodies[0].outputs.len());
            if bodies.is_empty() || !same {
                return Err(Error::Msg("its branches do not take and give the same".to_owned()));
            }
        }
        Ok(Some(what))
    }

    fn bodies(&mut self, names: &[&str], place: Place<'_>) -> Result<Vec<Body<E>>> {
        names.iter().map(|name| self.body_of(name, place)).collect()
    }

    fn body_of(&mut self, name: &str, place: Place<'_>) -> Result<Body<E>> {
        let function = self.function_of(name)?;
        let outer = self.begin();
        let built = self.nested(function, place);
        let nodes = self.end(outer);
        let (outputs, writes) = built?;
        if writes {
            return Err(Error::Msg(format!("`{name}` writes to a variable, which nothing does here")));
        }
        Body::new(nodes, outputs, function.signature.inputs.len())
    }

    /// The outputs of a function whose nodes stand alone, and whether it writes to variables.
    fn nested(&mut self, function: &'a FunctionDef<'a>, place: Place<'_>) -> Result<(Vec<Value>, bool)> {
        let mut arguments = Vec::new();
        for (at, parameter) in function.signature.inputs.iter().enumerate() {
            let ty = parameter.types(&Attrs::default(), 1)?.first().copied().unwrap_or(0);
            let node = self.push(Node {
                name: parameter.name.to_owned(),
                op: "Placeholder".into(),
                inputs: Vec::new(),
                outputs: vec![Port { ty: Type::of(ty), shape: Default::default() }],
                what: What::Input(at),
                blocked: None,
            })?;
            arguments.push(Value { node, output: 0 });
        }
        let named = self.function(function, arguments, Place { prefix: "", before: &[], depth: place.depth + DEEP })?;
        let missing = || Error::Msg(format!("`{}` does not give all its outputs", function.signature.name));
        let outputs = named.values.into_iter().map(|value| value.ok_or_else(missing)).collect::<Result<_>>()?;
        Ok((outputs, !named.effects.is_empty()))
    }
}
