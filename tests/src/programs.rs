//! Programs as data: what `build.rs` writes random models from, and what the [`interpreter`](crate::interpreter) runs.
//!
//! A program changes one variable `x`, a `[2, 4]` tensor. Its decisions come from flags that are read one after
//! another, so that every pass of a loop and every call of a shared submodule may go another way.

/// Several models, the whole one first; those after it are its submodules.
#[derive(Clone, Debug)]
pub struct Program {
    pub models: Vec<Model>,
}

/// A model: fields `f0`, `f1`, …, and methods, of which the first is `forward` and the others helpers `h1`, `h2`, ….
#[derive(Clone, Debug)]
pub struct Model {
    pub fields: Vec<Field>,
    pub methods: Vec<Vec<Stmt>>,
    /// Whether `forward` taps its parameter `x`.
    pub taps_input: bool,
}

#[derive(Clone, Debug)]
pub struct Field {
    pub layer: Layer,
    pub held: Held,
    /// `#[model(partial)]`
    pub partial: bool,
    /// `#[model(repeated)]`
    pub repeated: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Layer {
    Linear,
    /// A model of the program.
    Child(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Held {
    One,
    /// A `Vec` of so many.
    Each(usize),
    /// `Some`
    Present,
    /// `None`
    Absent,
}

#[derive(Clone, Debug)]
pub enum Stmt {
    Compute(Op),
    /// `#[tap] let t0 = x.op()?; x = t0;`, or the same with a tuple, whose sum `x` becomes.
    Tap(Vec<(usize, Op)>),
    /// `x = place.forward(&x)?;`
    Call(Place, Form),
    /// `#[tap] let t0 = place.forward(&x)?.op()?; x = t0;`
    TapCall(usize, Place, Op),
    If(Cond, Vec<Stmt>, Vec<Stmt>),
    /// `match flags.pick(n) { … }`
    Match(Vec<Vec<Stmt>>),
    /// `'l0: for _ in 0..times { … }`
    Times {
        label: usize,
        times: usize,
        body: Vec<Stmt>,
    },
    /// `'l0: while flags.take() { … }`
    While {
        label: usize,
        body: Vec<Stmt>,
    },
    /// `'l0: for b0 in self.f1.iter() { … }`; with `zip` there is a `c0` beside `b0`.
    Over {
        label: usize,
        field: usize,
        zip: Option<usize>,
        adapters: Vec<Adapter>,
        enumerate: bool,
        body: Vec<Stmt>,
    },
    /// `for i in 0..times { x = self.f1[i % len].forward(&x)?; }`
    Modulo {
        field: usize,
        times: usize,
    },
    /// `if let Some(m) = &self.f1 { x = m.forward(&x)?; }`
    IfSome(usize),
    /// `x = x.apply(&self.f1.as_ref())?;`
    ApplyOption(usize),
    /// `x = self.h1(&x, flags)?;`
    Help(usize),
    /// `'l0: { … }`
    Block {
        label: usize,
        body: Vec<Stmt>,
    },
    /// `return Ok(x.op()?);`
    Return(Op),
    Break(usize),
    Continue(usize),
}

#[derive(Clone, Copy, Debug)]
pub enum Op {
    Relu,
    Tanh,
    Neg,
    Half,
}

/// How a call is written.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    Forward,
    /// `x.apply(&place)?`
    Apply,
    /// `let m = &place; m.forward(&x)?`
    Let,
}

#[derive(Clone, Copy, Debug)]
pub enum Cond {
    Flag,
    /// `flags.take() && is_positive(&place.forward(&x)?)?`
    And(Place),
    /// The same with `||`.
    Or(Place),
}

/// A submodule.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    Whole(usize),
    At(usize, usize),
    /// The variable of the `Over` of this label.
    Element(usize),
    /// Its second variable.
    Zipped(usize),
}

#[derive(Clone, Copy, Debug)]
pub enum Adapter {
    Rev,
    Skip(usize),
    Take(usize),
    StepBy(usize),
}

/// The blocks inside a statement.
pub fn blocks(stmt: &Stmt) -> Vec<&[Stmt]> {
    match stmt {
        Stmt::If(_, then, otherwise) => vec![then, otherwise],
        Stmt::Match(arms) => arms.iter().map(Vec::as_slice).collect(),
        Stmt::Times { body, .. } | Stmt::While { body, .. } | Stmt::Over { body, .. } | Stmt::Block { body, .. } => {
            vec![body]
        }
        _ => Vec::new(),
    }
}
