//! What the macro knows of a value that comes from a field: which submodules it stands for.
//!
//! Only *which field* is worked out; which element it is follows at run time from its address, so that headers of loops
//! stay as they are written, whatever their order.

use syn::{BinOp, Expr, Lit, Member, Pat, UnOp};

use super::levels::Level;
use super::walk::Walker;

/// What a value that comes from a field stands for.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// A place in a field: the field itself, one of its elements, a submodule.
    Module(Origin),
    /// An iterator or slice.
    Items(Box<Shape>),
    Opt(Box<Shape>),
    /// `None` for parts that have nothing to do with submodules.
    Tuple(Vec<Option<Shape>>),
}

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) field: usize,
    /// How many containers of the field's type were gone into.
    pub(crate) depth: usize,
    /// The loops that visit each element once.
    pub(crate) own_loops: Vec<usize>,
    /// The element, where it is a literal.
    pub(crate) literal: Option<u64>,
    /// The header itself comes back to an element: `cycle`, `windows`.
    pub(crate) repeated: bool,
}

impl Shape {
    pub(crate) fn field(field: usize) -> Self {
        Shape::Module(Origin { field, depth: 0, own_loops: Vec::new(), literal: None, repeated: false })
    }

    /// The place that the value stands for, looked for in its parts.
    pub(crate) fn origin(&self) -> Option<&Origin> {
        match self {
            Shape::Module(origin) => Some(origin),
            Shape::Items(inner) | Shape::Opt(inner) => inner.origin(),
            Shape::Tuple(parts) => parts.iter().flatten().find_map(Shape::origin),
        }
    }

    fn for_origins(&mut self, f: &mut dyn FnMut(&mut Origin)) {
        match self {
            Shape::Module(origin) => f(origin),
            Shape::Items(inner) | Shape::Opt(inner) => inner.for_origins(f),
            Shape::Tuple(parts) => parts.iter_mut().flatten().for_each(|part| part.for_origins(f)),
        }
    }

    /// The same, visited by a loop of its own.
    pub(crate) fn in_loop(mut self, id: usize) -> Self {
        self.for_origins(&mut |origin| origin.own_loops.push(id));
        self
    }

    fn repeated(mut self) -> Self {
        self.for_origins(&mut |origin| origin.repeated = true);
        self
    }
}

fn items(shape: Shape) -> Option<Shape> {
    Some(Shape::Items(Box::new(shape)))
}

fn opt(shape: Shape) -> Option<Shape> {
    Some(Shape::Opt(Box::new(shape)))
}

impl Walker<'_> {
    /// What an expression stands for; `None` if it has nothing to do with submodules or can't be followed.
    pub(crate) fn shape(&self, expr: &Expr) -> Option<Shape> {
        match expr {
            Expr::Paren(e) => self.shape(&e.expr),
            Expr::Group(e) => self.shape(&e.expr),
            Expr::Reference(e) => self.shape(&e.expr),
            Expr::Unary(e) if matches!(e.op, UnOp::Deref(_)) => self.shape(&e.expr),
            Expr::Path(e) => self.variable(e.path.get_ident()?),
            Expr::Field(e) if is_self(&e.base) => match &e.member {
                Member::Named(name) => self.field_shape(name),
                Member::Unnamed(_) => None,
            },
            Expr::Field(e) => match (self.shape(&e.base)?, &e.member) {
                (Shape::Tuple(parts), Member::Unnamed(part)) => parts.get(part.index as usize)?.clone(),
                _ => None,
            },
            Expr::Index(e) => self.shape_of_index(self.shape(&e.expr)?, &e.index),
            Expr::Try(e) => match self.shape(&e.expr)? {
                Shape::Opt(inner) => Some(*inner),
                _ => None,
            },
            Expr::MethodCall(e) => self.shape_of_call(e),
            Expr::Call(e) if e.args.len() == 2 && is_named(&e.func, "zip") => {
                items(Shape::Tuple(vec![self.items_of(&e.args[0]), self.items_of(&e.args[1])]))
                    .filter(|shape| shape.origin().is_some())
            }
            _ => None,
        }
    }

    /// The elements of an expression.
    fn items_of(&self, expr: &Expr) -> Option<Shape> {
        self.elements(self.shape(expr)?)
    }

    /// What iterating gives.
    pub(crate) fn elements(&self, shape: Shape) -> Option<Shape> {
        match shape {
            Shape::Items(inner) => Some(*inner),
            Shape::Module(origin) => self.step_into(origin, Level::Many),
            // An `Option` iterates over what it holds.
            Shape::Opt(inner) => Some(*inner),
            Shape::Tuple(_) => None,
        }
    }

    /// What an `Option` holds.
    fn content(&self, shape: Shape) -> Option<Shape> {
        match shape {
            Shape::Opt(inner) => Some(*inner),
            Shape::Module(origin) => self.step_into(origin, Level::Opt),
            _ => None,
        }
    }

    /// Goes into a container of the field's type. A type that is no container by its name (an alias) becomes one by its
    /// use.
    fn step_into(&self, origin: Origin, level: Level) -> Option<Shape> {
        let mut levels = self.levels[origin.field].borrow_mut();
        if origin.depth == levels.len() && !self.emits() {
            levels.push(level);
        }
        match levels.get(origin.depth) {
            Some(found) if *found == level => Some(Shape::Module(Origin { depth: origin.depth + 1, ..origin })),
            // `Option<Vec<_>>` counts as its elements.
            Some(Level::Many) if level == Level::Opt => Some(Shape::Module(origin)),
            _ => None,
        }
    }

    fn shape_of_index(&self, base: Shape, index: &Expr) -> Option<Shape> {
        let element = self.elements(base.clone())?;
        if matches!(index, Expr::Range(_)) {
            return items(element);
        }
        let Shape::Module(mut origin) = element else { return Some(element) };
        if let Expr::Lit(lit) = index
            && let Lit::Int(int) = &lit.lit
            && origin.depth == 1
        {
            origin.literal = int.base10_parse().ok();
        }
        origin.own_loops.extend(self.loop_that_varies(index));
        Some(Shape::Module(origin))
    }

    fn shape_of_call(&self, call: &syn::ExprMethodCall) -> Option<Shape> {
        let method = call.method.to_string();
        let Some(receiver) = self.shape(&call.receiver) else {
            // `caches.iter_mut().zip(&self.blocks)`: only the second part is submodules.
            let other = (method == "zip").then(|| self.items_of(call.args.first()?)).flatten()?;
            return items(Shape::Tuple(vec![None, Some(other)]));
        };
        match method.as_str() {
            "as_ref" | "as_deref" | "as_mut" | "by_ref" | "borrow" => match receiver {
                Shape::Module(ref origin) if self.at_level(origin, Level::Opt) => opt(self.content(receiver)?),
                other => Some(other),
            },
            "iter" | "into_iter" | "as_slice" | "rev" | "skip" | "take" | "step_by" | "skip_while" | "take_while"
            | "filter" | "inspect" | "fuse" | "peekable" | "collect" | "to_vec" => items(self.elements(receiver)?),
            "chain" | "cycle" => items(self.elements(receiver)?.repeated()),
            "enumerate" => items(Shape::Tuple(vec![None, Some(self.elements(receiver)?)])),
            "zip" => {
                let other = call.args.first().and_then(|arg| self.items_of(arg));
                items(Shape::Tuple(vec![Some(self.elements(receiver)?), other]))
            }
            "flatten" => {
                let element = self.elements(receiver)?;
                items(self.content(element.clone()).or_else(|| self.elements(element))?)
            }
            "chunks" | "chunks_exact" | "rchunks" => items(items(self.elements(receiver)?)?),
            "windows" => items(items(self.elements(receiver)?.repeated())?),
            "first" | "last" | "get" | "next" | "next_back" | "nth" | "peek" | "find" => opt(self.elements(receiver)?),
            "split_first" | "split_last" => {
                let element = self.elements(receiver)?;
                opt(Shape::Tuple(vec![Some(element.clone()), items(element)]))
            }
            "split_at" => {
                let rest = items(self.elements(receiver)?);
                Some(Shape::Tuple(vec![rest.clone(), rest]))
            }
            "unwrap" | "expect" => self.content(receiver),
            "ok_or" | "ok_or_else" | "context" | "with_context" => opt(self.content(receiver)?),
            _ => None,
        }
    }

    fn at_level(&self, origin: &Origin, level: Level) -> bool {
        self.levels[origin.field].borrow().get(origin.depth) == Some(&level)
    }

    /// Whether all containers were gone into: the value is one submodule.
    pub(crate) fn is_module(&self, origin: &Origin) -> bool {
        self.levels[origin.field].borrow().len() == origin.depth
    }

    /// Gives the variables of a pattern what they stand for. `false` if the pattern takes a submodule apart in a way
    /// that can't be followed.
    pub(crate) fn bind(&mut self, pat: &Pat, shape: Option<Shape>) -> bool {
        let Some(shape) = shape else {
            self.bind_plain(pat);
            return true;
        };
        match pat {
            Pat::Ident(p) if p.subpat.is_none() => {
                self.declare(&p.ident, Some(shape));
                true
            }
            Pat::Wild(_) => true,
            Pat::Path(_) => true,
            Pat::Paren(p) => self.bind(&p.pat, Some(shape)),
            Pat::Reference(p) => self.bind(&p.pat, Some(shape)),
            Pat::Type(p) => self.bind(&p.pat, Some(shape)),
            Pat::Guard(p) => self.bind(&p.pat, Some(shape)),
            Pat::Tuple(p) => match shape {
                Shape::Tuple(parts) if parts.len() == p.elems.len() => {
                    p.elems.iter().zip(parts).fold(true, |all, (pat, part)| self.bind(pat, part) & all)
                }
                _ => false,
            },
            Pat::TupleStruct(p) if p.elems.len() == 1 && p.path.segments.last().is_some_and(|s| s.ident == "Some") => {
                let inner = self.content(shape);
                inner.is_some() && self.bind(&p.elems[0], inner)
            }
            Pat::Slice(p) => match self.elements(shape) {
                Some(element) => p.elems.iter().fold(true, |all, pat| self.bind_in_slice(pat, &element) & all),
                None => false,
            },
            Pat::Or(p) => p.cases.iter().fold(true, |all, pat| self.bind(pat, Some(shape.clone())) & all),
            _ => false,
        }
    }

    fn bind_in_slice(&mut self, pat: &Pat, element: &Shape) -> bool {
        match pat {
            Pat::Rest(_) => true,
            Pat::Ident(p) if p.subpat.as_ref().is_some_and(|(_, sub)| matches!(**sub, Pat::Rest(_))) => {
                self.declare(&p.ident, items(element.clone()));
                true
            }
            pat => self.bind(pat, Some(element.clone())),
        }
    }
}

pub(crate) fn is_self(expr: &Expr) -> bool {
    match expr {
        Expr::Path(e) => e.path.is_ident("self"),
        Expr::Paren(e) => is_self(&e.expr),
        Expr::Group(e) => is_self(&e.expr),
        _ => false,
    }
}

fn is_named(expr: &Expr, name: &str) -> bool {
    matches!(expr, Expr::Path(e) if e.path.segments.last().is_some_and(|s| s.ident == name))
}

/// Whether a binary operation may skip its right side.
pub(crate) fn is_lazy(op: &BinOp) -> bool {
    matches!(op, BinOp::And(_) | BinOp::Or(_))
}
