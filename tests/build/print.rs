//! Writes a program as the source of taper models.

use std::collections::HashMap;
use std::fmt::Write;

use crate::programs::*;

/// The module of a program: its models, `M0` the whole one, and `program()`, the same as data.
pub fn module(name: &str, program: &Program) -> String {
    let mut out = String::new();
    writeln!(out, "#[allow(unused, clippy::all)]\npub mod {name} {{").unwrap();
    writeln!(out, "use candle_core::{{Result, Tensor}};\nuse candle_nn::{{Linear, Module, linear}};").unwrap();
    writeln!(out, "use taper::{{Model, forward}};\nuse taper_tests::interpreter::{{Flags, is_positive}};").unwrap();
    for (index, model) in program.models.iter().enumerate() {
        Printer { out: &mut out, program, model, elements: HashMap::new() }.model(index);
    }
    let data = format!("{program:?}").replace('[', "vec![");
    writeln!(out, "pub fn program() -> taper_tests::programs::Program {{").unwrap();
    for of in ["", "Adapter::", "Cond::", "Form::", "Held::", "Layer::", "Op::", "Place::", "Stmt::"] {
        writeln!(out, "use taper_tests::programs::{of}*;").unwrap();
    }
    writeln!(out, "{data}\n}}\n}}").unwrap();
    out
}

struct Printer<'a> {
    out: &'a mut String,
    program: &'a Program,
    model: &'a Model,
    /// The fields of the loops over elements, by label.
    elements: HashMap<usize, (usize, Option<usize>)>,
}

impl Printer<'_> {
    fn line(&mut self, line: impl AsRef<str>) {
        self.out.push_str(line.as_ref());
        self.out.push('\n');
    }

    fn model(&mut self, index: usize) {
        self.line(format!("#[derive(Model)]\npub struct M{index} {{"));
        for (i, field) in self.model.fields.iter().enumerate() {
            self.field(i, field);
        }
        self.line(format!("}}\n#[forward]\nimpl M{index} {{"));
        for (i, body) in self.model.methods.iter().enumerate() {
            let tap = if i == 0 && self.model.taps_input { "#[tap] " } else { "" };
            let head = if i == 0 { "pub fn forward".to_owned() } else { format!("fn h{i}") };
            self.line(format!("{head}(&self, {tap}x: &Tensor, flags: &Flags) -> Result<Tensor> {{"));
            self.line("let mut x = x.clone();");
            self.stmts(body);
            self.line("Ok(x)\n}");
        }
        self.line("}");
    }

    fn field(&mut self, index: usize, field: &Field) {
        let (ty, ctor) = match field.layer {
            Layer::Linear => ("Linear".to_owned(), Some("linear(4, 4)")),
            Layer::Child(child) => (format!("M{child}"), None),
        };
        let with = |load: &str| match ctor {
            Some(ctor) => format!("{load}, {ctor}"),
            None => load.to_owned(),
        };
        let (load, ty) = match field.held {
            Held::One => (ctor.map(str::to_owned), ty),
            Held::Each(len) => (
                Some(format!("each({})", with(&len.to_string()).replace("linear", "|_| linear"))),
                format!("Vec<{ty}>"),
            ),
            Held::Present => (Some(format!("maybe({})", with("true"))), format!("Option<{ty}>")),
            Held::Absent => (Some(format!("maybe({})", with("false"))), format!("Option<{ty}>")),
        };
        if let Some(load) = load {
            self.line(format!("#[load({load})]"));
        }
        for (key, given) in [("partial", field.partial), ("repeated", field.repeated)] {
            if given {
                self.line(format!("#[model({key})]"));
            }
        }
        self.line(format!("pub f{index}: {ty},"));
    }

    fn stmts(&mut self, stmts: &[Stmt]) {
        stmts.iter().for_each(|stmt| self.stmt(stmt));
    }

    fn block(&mut self, head: impl AsRef<str>, body: &[Stmt]) {
        self.line(format!("{} {{", head.as_ref()));
        self.stmts(body);
        self.line("}");
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Compute(op) => self.line(format!("x = x{};", applied(*op))),
            Stmt::Tap(taps) => self.tap(taps),
            Stmt::Call(place, form) => self.call(*place, *form),
            Stmt::TapCall(tap, place, op) => {
                let call = self.forward(*place);
                self.line(format!("#[tap]\nlet t{tap} = {call}{};\nx = t{tap};", applied(*op)));
            }
            Stmt::If(cond, then, otherwise) => {
                let cond = self.cond(*cond);
                self.block(format!("if {cond}"), then);
                if !otherwise.is_empty() {
                    self.block("else", otherwise);
                }
            }
            Stmt::Match(arms) => {
                self.line(format!("match flags.pick({}) {{", arms.len()));
                for (i, arm) in arms.iter().enumerate() {
                    let pat = if i + 1 == arms.len() { "_".to_owned() } else { i.to_string() };
                    self.block(format!("{pat} =>"), arm);
                }
                self.line("}");
            }
            Stmt::Times { label, times, body } => self.block(format!("'l{label}: for _ in 0..{times}"), body),
            Stmt::While { label, body } => self.block(format!("'l{label}: while flags.take()"), body),
            Stmt::Over { label, field, zip, adapters, enumerate, body } => {
                self.elements.insert(*label, (*field, *zip));
                let head = over(*label, *field, *zip, adapters, *enumerate);
                self.block(head, body);
            }
            Stmt::Modulo { field, times } => {
                let Held::Each(len) = self.model.fields[*field].held else { unreachable!("of elements only") };
                let args = self.args(*field);
                self.line(format!("for i in 0..{times} {{\nx = self.f{field}[i % {len}].forward{args}?;\n}}"));
            }
            Stmt::IfSome(field) => {
                let args = self.args(*field);
                self.line(format!("if let Some(m) = &self.f{field} {{\nx = m.forward{args}?;\n}}"));
            }
            Stmt::ApplyOption(field) => self.line(format!("x = x.apply(&self.f{field}.as_ref())?;")),
            Stmt::Help(helper) => self.line(format!("x = self.h{helper}(&x, flags)?;")),
            Stmt::Block { label, body } => self.block(format!("'l{label}:"), body),
            Stmt::Return(op) => self.line(format!("return Ok(x{});", applied(*op))),
            Stmt::Break(label) => self.line(format!("break 'l{label};")),
            Stmt::Continue(label) => self.line(format!("continue 'l{label};")),
        }
    }

    fn tap(&mut self, taps: &[(usize, Op)]) {
        let text = match taps {
            [(tap, op)] => format!("#[tap]\nlet t{tap} = x{};\nx = t{tap};", applied(*op)),
            [(a, op_a), (b, op_b)] => {
                let (op_a, op_b) = (applied(*op_a), applied(*op_b));
                format!("#[tap]\nlet (t{a}, t{b}) = (x{op_a}, x{op_b});\nx = (t{a} + t{b})?;")
            }
            _ => unreachable!("one or two"),
        };
        self.line(text);
    }

    fn call(&mut self, place: Place, form: Form) {
        let text = match form {
            Form::Forward => format!("x = {};", self.forward(place)),
            Form::Apply => format!("x = x.apply(&{})?;", self.place(place).0),
            Form::Let => {
                let (text, field) = self.place(place);
                format!("let m = &{text};\nx = m.forward{}?;", self.args(field))
            }
        };
        self.line(text);
    }

    fn forward(&self, place: Place) -> String {
        let (text, field) = self.place(place);
        format!("{text}.forward{}?", self.args(field))
    }

    fn place(&self, place: Place) -> (String, usize) {
        match place {
            Place::Whole(field) => (format!("self.f{field}"), field),
            Place::At(field, at) => (format!("self.f{field}[{at}]"), field),
            Place::Element(label) => (format!("b{label}"), self.elements[&label].0),
            Place::Zipped(label) => (format!("c{label}"), self.elements[&label].1.expect("zipped")),
        }
    }

    fn args(&self, field: usize) -> &'static str {
        match self.model.fields[field].layer {
            Layer::Linear => "(&x)",
            Layer::Child(child) => {
                assert!(child < self.program.models.len());
                "(&x, &flags.fork())"
            }
        }
    }

    fn cond(&self, cond: Cond) -> String {
        match cond {
            Cond::Flag => "flags.take()".to_owned(),
            Cond::And(place) => format!("flags.take() && is_positive(&{})?", self.forward(place)),
            Cond::Or(place) => format!("flags.take() || is_positive(&{})?", self.forward(place)),
        }
    }
}

fn over(label: usize, field: usize, zip: Option<usize>, adapters: &[Adapter], enumerate: bool) -> String {
    let mut items = format!("self.f{field}.iter()");
    let mut pat = format!("b{label}");
    if let Some(zip) = zip {
        items += &format!(".zip(&self.f{zip})");
        pat = format!("(b{label}, c{label})");
    }
    for adapter in adapters {
        items += &match adapter {
            Adapter::Rev => ".rev()".to_owned(),
            Adapter::Skip(n) => format!(".skip({n})"),
            Adapter::Take(n) => format!(".take({n})"),
            Adapter::StepBy(n) => format!(".step_by({n})"),
        };
    }
    if enumerate {
        items += ".enumerate()";
        pat = format!("(i{label}, {pat})");
    }
    if zip.is_none() && adapters.is_empty() && !enumerate {
        items = format!("&self.f{field}");
    }
    format!("'l{label}: for {pat} in {items}")
}

fn applied(op: Op) -> &'static str {
    match op {
        Op::Relu => ".relu()?",
        Op::Tanh => ".tanh()?",
        Op::Neg => ".neg()?",
        Op::Half => ".affine(0.5, 0.25)?",
    }
}
