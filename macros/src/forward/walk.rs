//! The walk over a method's body, in order of evaluation. It runs twice: the first time it notes what is called and
//! tapped where, the second time, when the plan is known, it puts in the instrumentation.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Block, Expr, Ident, Pat, Path, Stmt};

use super::attributes::take_attr;
use super::control::{Often, Region, Varying};
use super::levels::Level;
use super::plan::Plan;
use super::shape::{Shape, is_lazy};
use crate::ctxt::Ctxt;
use crate::model::ir::Model;

/// What the first walk over a method found, in order of evaluation.
#[derive(Debug)]
pub(crate) enum Event {
    /// A traced call of a submodule.
    Call(Call),
    /// A call of another method of the impl.
    Helper {
        name: String,
        often: Often,
        span: Span,
    },
    Tap(Box<Tap>),
    /// A mention of a field that can't be traced: an error if the field is a submodule.
    Untraced {
        field: usize,
        span: Span,
        fault: String,
    },
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) field: usize,
    pub(crate) method: Method,
    pub(crate) often: Often,
    pub(crate) literal: Option<u64>,
}

/// Which forward of the submodule is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Method {
    Forward,
    Step,
    Seq,
}

/// A tapped value.
#[derive(Clone, Debug)]
pub(crate) struct Tap {
    pub(crate) name: Ident,
    pub(crate) docs: Vec<Attribute>,
    pub(crate) cfgs: Vec<Attribute>,
    /// `None` is `Tensor`.
    pub(crate) ty: Option<syn::Type>,
    pub(crate) often: Often,
}

pub(crate) struct Walker<'a> {
    pub(crate) cx: &'a Ctxt,
    pub(crate) krate: &'a Path,
    /// The method's own `self`: a token of another hygiene would not be it.
    pub(crate) this: Ident,
    pub(crate) model: &'a Model,
    /// The containers of each field's type.
    pub(crate) levels: &'a [RefCell<Vec<Level>>],
    /// The methods of the impl.
    pub(crate) methods: &'a HashSet<String>,
    /// Known in the second walk.
    pub(crate) plan: Option<&'a Plan>,
    pub(crate) events: Vec<Event>,
    pub(crate) regions: Vec<Region>,
    scopes: Vec<HashMap<String, Option<Shape>>>,
    /// What no tap may stand in: "a closure".
    pub(crate) nested: Option<&'static str>,
    pub(crate) untapped: bool,
    pub(crate) loops: usize,
    /// Whether the walk has put in a `break` out of the whole body.
    pub(crate) returns: bool,
}

impl<'a> Walker<'a> {
    pub(crate) fn new(
        cx: &'a Ctxt,
        this: Ident,
        model: &'a Model,
        levels: &'a [RefCell<Vec<Level>>],
        methods: &'a HashSet<String>,
        plan: Option<&'a Plan>,
    ) -> Self {
        Walker {
            cx,
            krate: &model.options.krate,
            this,
            model,
            levels,
            methods,
            plan,
            events: Vec::new(),
            regions: vec![Region::Body { exited: false }],
            scopes: vec![HashMap::new()],
            nested: None,
            untapped: false,
            loops: 0,
            returns: false,
        }
    }

    /// Whether this is the second walk.
    pub(crate) fn emits(&self) -> bool {
        self.plan.is_some()
    }

    /// The first walk has reported whatever is wrong.
    pub(crate) fn error(&self, span: Span, message: impl std::fmt::Display) {
        if !self.emits() {
            self.cx.error_at(span, message);
        }
    }

    /// The same, all of `spanned` underlined.
    pub(crate) fn error_on(&self, spanned: impl ToTokens, message: impl std::fmt::Display) {
        if !self.emits() {
            self.cx.error(spanned, message);
        }
    }

    pub(crate) fn declare(&mut self, name: &Ident, shape: Option<Shape>) {
        let shape = if self.untapped { None } else { shape };
        self.scopes.last_mut().expect("there is always a scope").insert(name.to_string(), shape);
    }

    pub(crate) fn bind_plain(&mut self, pat: &Pat) {
        let mut bound = Varying::default();
        bound.visit_pat(pat);
        let scope = self.scopes.last_mut().expect("there is always a scope");
        scope.extend(bound.0.into_iter().map(|name| (name, None)));
    }

    pub(crate) fn variable(&self, name: &Ident) -> Option<Shape> {
        let name = name.to_string();
        self.scopes.iter().rev().find_map(|scope| scope.get(&name))?.clone()
    }

    /// What `self.name` stands for: in the second walk, something for submodules only.
    pub(crate) fn field_shape(&self, name: &Ident) -> Option<Shape> {
        let field = self.model.fields.iter().position(|f| f.ident == *name)?;
        let tracked = match self.plan {
            Some(plan) => plan.fields[field].is_some(),
            None => !self.model.fields[field].untapped,
        };
        tracked.then(|| Shape::field(field))
    }

    pub(crate) fn scoped<R>(&mut self, walk: impl FnOnce(&mut Self) -> R) -> R {
        self.scopes.push(HashMap::new());
        let result = walk(self);
        self.scopes.pop();
        result
    }

    /// Notes that a field is mentioned where it can't be traced.
    pub(crate) fn untraced(&mut self, shape: &Shape, span: Span, fault: impl FnOnce(&str) -> String) {
        if self.untapped || self.emits() {
            return;
        }
        if let Some(origin) = shape.origin() {
            let fault = fault(&self.model.fields[origin.field].name());
            self.events.push(Event::Untraced { field: origin.field, span, fault });
        }
    }

    /// A traced call. `false` if it stands where nothing can be tapped.
    pub(crate) fn note_call(&mut self, shape: &Shape, method: Method, span: Span) -> bool {
        let Some(origin) = shape.origin() else { return false };
        if self.untapped {
            return false;
        }
        if let Some(place) = self.nested {
            self.untraced(shape, span, |name| {
                format!("`{name}` is called in {place}, where nothing can be tapped; use a loop, or write `#[untapped]` on the statement")
            });
            return false;
        }
        let often = if origin.repeated { Often::Visits } else { self.often(&origin.own_loops) };
        self.events.push(Event::Call(Call { field: origin.field, method, often, literal: origin.literal }));
        true
    }

    pub(crate) fn note_tap(&mut self, tap: Tap) {
        self.events.push(Event::Tap(Box::new(tap)));
    }

    pub(crate) fn in_nested(&mut self, place: &'static str, walk: impl FnOnce(&mut Self)) {
        let outer = self.nested.replace(place);
        self.inside(Region::Body { exited: false }, walk);
        self.nested = outer;
    }

    pub(crate) fn in_untapped(&mut self, walk: impl FnOnce(&mut Self)) {
        let outer = std::mem::replace(&mut self.untapped, true);
        walk(self);
        self.untapped = outer;
    }

    pub(crate) fn block(&mut self, block: &mut Block) {
        self.scoped(|walk| {
            let mut stmts = Vec::with_capacity(block.stmts.len());
            for stmt in std::mem::take(&mut block.stmts) {
                walk.statement(stmt, &mut stmts);
            }
            block.stmts = stmts;
        });
    }

    fn statement(&mut self, mut stmt: Stmt, out: &mut Vec<Stmt>) {
        if take_attr(&mut stmt, "untapped") {
            self.in_untapped(|walk| {
                visit_mut::visit_stmt_mut(walk, &mut stmt);
                if let Stmt::Local(local) = &stmt {
                    walk.bind_plain(&local.pat);
                }
            });
            out.push(stmt);
            return;
        }
        match stmt {
            Stmt::Local(local) if local.attrs.iter().any(|a| a.path().is_ident("tap")) => {
                self.tap_statement(local, out)
            }
            Stmt::Local(mut local) => {
                self.let_statement(&mut local);
                out.push(Stmt::Local(local));
            }
            Stmt::Item(_) => out.push(stmt),
            mut other => {
                self.visit_stmt_mut(&mut other);
                out.push(other);
            }
        }
    }
}

impl VisitMut for Walker<'_> {
    fn visit_block_mut(&mut self, block: &mut Block) {
        self.block(block);
    }

    fn visit_item_mut(&mut self, _: &mut syn::Item) {}

    fn visit_stmt_mut(&mut self, stmt: &mut Stmt) {
        match stmt {
            Stmt::Macro(stmt) => self.macro_call(&mut stmt.mac),
            stmt => visit_mut::visit_stmt_mut(self, stmt),
        }
    }

    fn visit_local_mut(&mut self, local: &mut syn::Local) {
        self.let_statement(local);
    }

    fn visit_pat_mut(&mut self, _: &mut Pat) {}

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            Expr::MethodCall(_) => self.method_call(expr),
            Expr::Call(_) => self.call_expr(expr),
            Expr::Field(_) => self.field_expr(expr),
            Expr::Path(path) if path.path.is_ident("self") => self.error(
                path.span(),
                "`self` as a whole can't be traced; use its fields and methods, `self.name` or `self.name(..)`",
            ),
            Expr::Path(_) => self.bare_mention(expr),
            Expr::ForLoop(e) => self.for_loop(e),
            Expr::While(e) => self.while_loop(e),
            Expr::Loop(e) => {
                let mut varying = Varying::default();
                varying.visit_block(&e.body);
                let body = &mut e.body;
                self.in_loop(varying, |walk, _| walk.block(body));
            }
            Expr::If(e) => self.if_expr(e),
            Expr::Match(e) => self.match_expr(e),
            Expr::Let(e) => {
                let shape = self.header(&mut e.expr);
                self.bind_or_refuse(&e.pat, shape);
            }
            Expr::Binary(e) if is_lazy(&e.op) => {
                self.visit_expr_mut(&mut e.left);
                self.inside(Region::Branch, |walk| walk.visit_expr_mut(&mut e.right));
            }
            Expr::Closure(e) => self.closure(e, None),
            Expr::Async(e) => self.in_nested("an `async` block", |walk| walk.block(&mut e.block)),
            Expr::Block(e) => match &e.label {
                Some(label) => {
                    let label = label.name.ident.to_string();
                    self.inside(Region::Labelled { label, exited: false }, |walk| walk.block(&mut e.block));
                }
                None => self.block(&mut e.block),
            },
            Expr::Return(e) => {
                visit_mut::visit_expr_return_mut(self, e);
                self.on_return(e);
                if self.nested.is_none() {
                    self.break_out(expr);
                }
            }
            Expr::Break(e) => {
                visit_mut::visit_expr_break_mut(self, e);
                e.label.iter().for_each(|label| self.on_break(label));
            }
            Expr::Macro(e) => self.macro_call(&mut e.mac),
            other => visit_mut::visit_expr_mut(self, other),
        }
    }
}
