//! Runs a [`Program`] with candle alone: what taper has to agree with. It knows of taper's names and rules only what the
//! book says of them, and shares no code with it.

mod kinds;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module};

use crate::programs::*;
use kinds::{Kinds, Often};

/// Decisions, read one after another; `false` when there are no more.
#[derive(Debug, Default)]
pub struct Flags {
    bits: Vec<bool>,
    at: AtomicUsize,
}

impl Clone for Flags {
    fn clone(&self) -> Self {
        Self { bits: self.bits.clone(), at: AtomicUsize::new(self.at.load(Ordering::Relaxed)) }
    }
}

/// The same decisions to make, whatever was read of them.
impl PartialEq for Flags {
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits
    }
}

impl Flags {
    /// These decisions.
    pub fn new(bits: &[bool]) -> Self {
        Self { bits: bits.to_vec(), at: AtomicUsize::new(0) }
    }

    /// The next decision.
    pub fn take(&self) -> bool {
        let at = self.at.fetch_add(1, Ordering::Relaxed);
        self.bits.get(at).copied().unwrap_or(false)
    }

    /// The next decision among `n`.
    pub fn pick(&self, n: usize) -> usize {
        (usize::from(self.take()) * 2 + usize::from(self.take())) % n
    }

    /// The decisions of a submodule, so that a call that is left out reads none of its caller's.
    pub fn fork(&self) -> Self {
        let at = self.at.fetch_add(1, Ordering::Relaxed);
        let from = |i: usize| self.bits.get((at * 5 + i * 3) % self.bits.len().max(1)).copied().unwrap_or(false);
        Self {
            bits: (0..(self.bits.len() / 2).max(2)).map(|i| from(i) ^ from(i * i + 1)).collect(),
            at: AtomicUsize::new(0),
        }
    }
}

/// A decision by a value.
pub fn is_positive(x: &Tensor) -> Result<bool> {
    Ok(x.sum_all()?.to_scalar::<f32>()? > 0.)
}

/// A named value of a run.
#[derive(Clone, Debug)]
pub struct Value {
    /// Its name, the visits numbered.
    pub name: String,
    /// Its name without the visits.
    pub site: String,
    pub tensor: Tensor,
}

/// What a program gives for an input and its decisions: the output, and every named value in order of production.
pub fn run(
    program: &Program,
    weights: &HashMap<String, Tensor>,
    x: &Tensor,
    bits: &[bool],
) -> Result<(Tensor, Vec<Value>)> {
    let kinds: Vec<_> = program.models.iter().map(Kinds::of).collect();
    let flags = Flags::new(bits);
    let mut run = Run { program, kinds: &kinds, weights, flags, values: Vec::new(), visits: HashMap::new() };
    let whole = Name::default();
    let output = run.model(0, &whole, x)?;
    Ok((output, run.values))
}

/// Where a model or a value stands.
#[derive(Clone, Default)]
struct Name {
    /// Visits numbered.
    full: String,
    /// Visits left out: the names of sites, and of weights.
    plain: String,
}

impl Name {
    fn join(&self, part: impl std::fmt::Display) -> Self {
        let join = |name: &str| if name.is_empty() { part.to_string() } else { format!("{name}.{part}") };
        Name { full: join(&self.full), plain: join(&self.plain) }
    }
}

struct Run<'a> {
    program: &'a Program,
    kinds: &'a [Kinds],
    weights: &'a HashMap<String, Tensor>,
    /// Those of the model that runs.
    flags: Flags,
    values: Vec<Value>,
    /// How often each name with visits was reached.
    visits: HashMap<String, usize>,
}

/// How a block ends.
enum Flow {
    Next,
    Break(usize),
    Continue(usize),
    Return(Tensor),
}

/// A call of a method of a model.
struct Call<'a> {
    model: &'a Model,
    kinds: &'a Kinds,
    name: &'a Name,
    x: Tensor,
    /// What the variables of the loops stand for, by label: field and element.
    elements: HashMap<usize, [Option<(usize, usize)>; 2]>,
}

impl<'a> Run<'a> {
    fn model(&mut self, index: usize, name: &Name, x: &Tensor) -> Result<Tensor> {
        let (model, kinds) = (&self.program.models[index], &self.kinds[index]);
        if model.taps_input {
            self.keep(name.join("x"), x);
        }
        let output = self.method(0, model, kinds, name, x)?;
        self.keep(name.join("output"), &output);
        Ok(output)
    }

    fn method(&mut self, index: usize, model: &Model, kinds: &Kinds, name: &Name, x: &Tensor) -> Result<Tensor> {
        let mut call = Call { model, kinds, name, x: x.clone(), elements: HashMap::new() };
        match self.block(&mut call, &model.methods[index])? {
            Flow::Return(output) => Ok(output),
            _ => Ok(call.x),
        }
    }

    fn keep(&mut self, name: Name, tensor: &Tensor) {
        self.values.push(Value { name: name.full, site: name.plain, tensor: tensor.clone() });
    }

    /// The name of this visit.
    fn visited(&mut self, name: Name, often: Often) -> Name {
        if often != Often::Visits {
            return name;
        }
        let visit = self.visits.entry(name.full.clone()).or_default();
        let full = format!("{}.{visit}", name.full);
        *visit += 1;
        Name { full, ..name }
    }

    fn block(&mut self, call: &mut Call<'_>, stmts: &[Stmt]) -> Result<Flow> {
        for stmt in stmts {
            match self.stmt(call, stmt)? {
                Flow::Next => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn stmt(&mut self, call: &mut Call<'_>, stmt: &Stmt) -> Result<Flow> {
        match stmt {
            Stmt::Compute(op) => call.x = apply(*op, &call.x)?,
            Stmt::Tap(taps) => self.tap(call, taps)?,
            Stmt::Call(place, _) => call.x = self.place(call, *place)?,
            Stmt::TapCall(tap, place, op) => {
                let value = apply(*op, &self.place(call, *place)?)?;
                self.keep_tap(call, *tap, &value);
                call.x = value;
            }
            Stmt::If(cond, then, otherwise) => {
                let branch = if self.cond(call, *cond)? { then } else { otherwise };
                return self.block(call, branch);
            }
            Stmt::Match(arms) => return self.block(call, &arms[self.flags.pick(arms.len())]),
            Stmt::Times { label, times, body } => return self.times(call, *label, *times, body),
            Stmt::While { label, body } => {
                while self.flags.take() {
                    match after_pass(self.block(call, body)?, *label) {
                        Pass::On => {}
                        Pass::Ends(flow) => return Ok(flow),
                    }
                }
            }
            Stmt::Over { label, field, zip, adapters, body, .. } => {
                return self.over(call, *label, (*field, *zip), adapters, body);
            }
            Stmt::Modulo { field, times } => {
                for i in 0..*times {
                    call.x = self.submodule(call, *field, Some(i % call.len(*field)))?;
                }
            }
            Stmt::IfSome(field) | Stmt::ApplyOption(field) => {
                if call.model.fields[*field].held == Held::Present {
                    call.x = self.submodule(call, *field, None)?;
                }
            }
            Stmt::Help(helper) => call.x = self.method(*helper, call.model, call.kinds, call.name, &call.x)?,
            Stmt::Block { label, body } => match self.block(call, body)? {
                Flow::Break(to) if to == *label => {}
                flow => return Ok(flow),
            },
            Stmt::Return(op) => return Ok(Flow::Return(apply(*op, &call.x)?)),
            Stmt::Break(label) => return Ok(Flow::Break(*label)),
            Stmt::Continue(label) => return Ok(Flow::Continue(*label)),
        }
        Ok(Flow::Next)
    }

    fn tap(&mut self, call: &mut Call<'_>, taps: &[(usize, Op)]) -> Result<()> {
        let values: Vec<_> = taps.iter().map(|(_, op)| apply(*op, &call.x)).collect::<Result<_>>()?;
        for ((tap, _), value) in taps.iter().zip(&values) {
            self.keep_tap(call, *tap, value);
        }
        call.x = values.iter().skip(1).try_fold(values[0].clone(), |sum, value| sum + value)?;
        Ok(())
    }

    fn keep_tap(&mut self, call: &Call<'_>, tap: usize, value: &Tensor) {
        let name = self.visited(call.name.join(format!("t{tap}")), call.kinds.tap(tap));
        self.keep(name, value);
    }

    fn times(&mut self, call: &mut Call<'_>, label: usize, times: usize, body: &[Stmt]) -> Result<Flow> {
        for _ in 0..times {
            match after_pass(self.block(call, body)?, label) {
                Pass::On => {}
                Pass::Ends(flow) => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn over(
        &mut self,
        call: &mut Call<'_>,
        label: usize,
        (field, zip): (usize, Option<usize>),
        adapters: &[Adapter],
        body: &[Stmt],
    ) -> Result<Flow> {
        let len = zip.map_or(call.len(field), |zip| call.len(zip).min(call.len(field)));
        for at in adapters.iter().fold((0..len).collect(), adapted) {
            call.elements.insert(label, [Some((field, at)), zip.map(|zip| (zip, at))]);
            match after_pass(self.block(call, body)?, label) {
                Pass::On => {}
                Pass::Ends(flow) => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn cond(&mut self, call: &Call<'_>, cond: Cond) -> Result<bool> {
        let flag = self.flags.take();
        match cond {
            Cond::And(place) if flag => is_positive(&self.place(call, place)?),
            Cond::Or(place) if !flag => is_positive(&self.place(call, place)?),
            _ => Ok(flag),
        }
    }

    fn place(&mut self, call: &Call<'_>, place: Place) -> Result<Tensor> {
        let (field, element) = match place {
            Place::Whole(field) => (field, None),
            Place::At(field, at) => (field, Some(at)),
            Place::Element(label) => call.element(label, 0),
            Place::Zipped(label) => call.element(label, 1),
        };
        self.submodule(call, field, element)
    }

    /// Calls a submodule.
    fn submodule(&mut self, call: &Call<'_>, field: usize, element: Option<usize>) -> Result<Tensor> {
        let mut name = call.name.join(format!("f{field}"));
        if let Some(element) = element {
            name = name.join(element);
        }
        let name = self.visited(name, call.kinds.field(field));
        match call.model.fields[field].layer {
            Layer::Child(child) => {
                let own = self.flags.fork();
                let callers = std::mem::replace(&mut self.flags, own);
                let output = self.model(child, &name, &call.x);
                self.flags = callers;
                output
            }
            Layer::Linear => {
                let weight = |part: &str| self.weights[&format!("{}.{part}", name.plain)].clone();
                let output = Linear::new(weight("weight"), Some(weight("bias"))).forward(&call.x)?;
                self.keep(name, &output);
                Ok(output)
            }
        }
    }
}

impl Call<'_> {
    fn len(&self, field: usize) -> usize {
        match self.model.fields[field].held {
            Held::Each(len) => len,
            held => panic!("{held:?} has no elements"),
        }
    }

    fn element(&self, label: usize, part: usize) -> (usize, Option<usize>) {
        let (field, at) = self.elements[&label][part].expect("bound by its loop");
        (field, Some(at))
    }
}

/// Whether a loop goes on after a pass of its body.
enum Pass {
    On,
    Ends(Flow),
}

fn after_pass(flow: Flow, label: usize) -> Pass {
    match flow {
        Flow::Next => Pass::On,
        Flow::Continue(to) if to == label => Pass::On,
        Flow::Break(to) if to == label => Pass::Ends(Flow::Next),
        flow => Pass::Ends(flow),
    }
}

fn adapted(items: Vec<usize>, adapter: &Adapter) -> Vec<usize> {
    let items = items.into_iter();
    match *adapter {
        Adapter::Rev => items.rev().collect(),
        Adapter::Skip(n) => items.skip(n).collect(),
        Adapter::Take(n) => items.take(n).collect(),
        Adapter::StepBy(n) => items.step_by(n).collect(),
    }
}

fn apply(op: Op, x: &Tensor) -> Result<Tensor> {
    match op {
        Op::Relu => x.relu(),
        Op::Tanh => x.tanh(),
        Op::Neg => x.neg(),
        Op::Half => x.affine(0.5, 0.25),
    }
}
