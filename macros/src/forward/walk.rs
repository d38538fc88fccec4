//! The walk over a method's body, in order of evaluation. It runs twice: the first time it notes what is called and
//! tapped where, the second time, when the plan is known, it puts in the instrumentation.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::visit_mut::{self, VisitMut};
use syn::{Attribute, Block, Expr, ExprMethodCall, Ident, Pat, Path, Stmt};

use super::control::{Often, Region, Varying};
use super::levels::Level;
use super::plan::Plan;
use super::shape::{Shape, is_lazy, is_self};
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
    nested: Option<&'static str>,
    untapped: bool,
    loops: usize,
    /// Whether the walk has put in a `break` out of the whole body.
    pub(crate) returns: bool,
}

/// Methods that run a submodule.
pub(crate) fn traced_method(name: &str) -> Option<Method> {
    match name {
        "forward" | "forward_t" => Some(Method::Forward),
        "step" => Some(Method::Step),
        "seq" | "seq_init" => Some(Method::Seq),
        _ => None,
    }
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

    /// Where taps can't stand.
    pub(crate) fn nested(&self) -> Option<&'static str> {
        self.nested
    }

    pub(crate) fn note_tap(&mut self, tap: Tap) {
        self.events.push(Event::Tap(Box::new(tap)));
    }

    fn in_nested(&mut self, place: &'static str, walk: impl FnOnce(&mut Self)) {
        let outer = self.nested.replace(place);
        self.inside(Region::Body { exited: false }, walk);
        self.nested = outer;
    }

    fn in_untapped(&mut self, walk: impl FnOnce(&mut Self)) {
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

    pub(crate) fn let_statement(&mut self, local: &mut syn::Local) {
        local.attrs.retain(|a| !a.path().is_ident("doc"));
        let Some(init) = &mut local.init else {
            self.bind_plain(&local.pat);
            return;
        };
        let shape = self.header(&mut init.expr);
        if let Some((_, diverge)) = &mut init.diverge {
            self.inside(Region::Branch, |walk| walk.visit_expr_mut(diverge));
        }
        self.bind_or_refuse(&local.pat, shape);
    }

    /// A header: the expression that a pattern is bound to. Submodules may stand there, since the variables are followed.
    pub(crate) fn header(&mut self, expr: &mut Expr) -> Option<Shape> {
        let shape = self.shape(expr);
        match shape.as_ref().and_then(Shape::origin) {
            Some(_) => self.walk_followed(expr),
            None => self.visit_expr_mut(expr),
        }
        shape
    }

    /// The parts of a followed expression that are not the submodule: indices, arguments.
    pub(crate) fn walk_followed(&mut self, expr: &mut Expr) {
        if self.shape(expr).is_none() && !is_self(expr) {
            return self.visit_expr_mut(expr);
        }
        match expr {
            Expr::Paren(e) => self.walk_followed(&mut e.expr),
            Expr::Group(e) => self.walk_followed(&mut e.expr),
            Expr::Reference(e) => self.walk_followed(&mut e.expr),
            Expr::Unary(e) => self.walk_followed(&mut e.expr),
            Expr::Field(e) => self.walk_followed(&mut e.base),
            Expr::Try(e) => self.walk_followed(&mut e.expr),
            Expr::Index(e) => {
                self.walk_followed(&mut e.expr);
                self.visit_expr_mut(&mut e.index);
            }
            Expr::MethodCall(e) => {
                self.walk_followed(&mut e.receiver);
                let element = self.shape(&e.receiver).and_then(|s| self.elements(s));
                for arg in &mut e.args {
                    match arg {
                        Expr::Closure(closure) => self.closure(closure, element.clone()),
                        arg => self.walk_followed(arg),
                    }
                }
            }
            Expr::Call(e) => e.args.iter_mut().for_each(|arg| self.walk_followed(arg)),
            _ => {}
        }
    }

    fn bind_or_refuse(&mut self, pat: &Pat, shape: Option<Shape>) {
        if !self.bind(pat, shape.clone())
            && let Some(shape) = shape
        {
            self.untraced(&shape, pat.span(), |name| {
                format!("this pattern takes `{name}` apart in a way that can't be followed; bind a plain variable")
            });
            self.bind_plain(pat);
        }
    }

    /// A closure: its parameters may be elements, whose plain data may be read.
    fn closure(&mut self, closure: &mut syn::ExprClosure, element: Option<Shape>) {
        self.scoped(|walk| {
            for param in &closure.inputs {
                walk.bind_or_refuse(param, element.clone());
            }
            walk.in_nested("a closure", |walk| walk.visit_expr_mut(&mut closure.body));
        });
    }

    fn for_loop(&mut self, e: &mut syn::ExprForLoop) {
        let shape = self.header(&mut e.expr);
        let element = shape.clone().and_then(|s| self.elements(s));
        if element.is_none()
            && let Some(shape) = &shape
        {
            self.untraced(shape, place_of(&e.expr), |name| {
                format!("what this loop takes from `{name}` can't be followed")
            });
        }
        let (pat, body) = (&e.pat, &mut e.body);
        let mut varying = Varying::default();
        varying.visit_pat(pat);
        varying.visit_block(body);
        self.in_loop(varying, |walk, id| {
            walk.bind_or_refuse(pat, element.map(|s| s.in_loop(id)));
            walk.block(body);
        });
    }

    fn in_loop(&mut self, varying: Varying, walk: impl FnOnce(&mut Self, usize)) {
        self.loops += 1;
        let id = self.loops;
        self.inside(Region::Loop { id, varying: varying.0 }, |w| w.scoped(|w| walk(w, id)));
    }

    fn while_loop(&mut self, e: &mut syn::ExprWhile) {
        let mut varying = Varying::default();
        varying.visit_expr_while(e);
        let (cond, body) = (&mut e.cond, &mut e.body);
        self.in_loop(varying, |walk, id| {
            // `while let Some(b) = iter.next()` visits each element once, as `for` does.
            match &mut **cond {
                Expr::Let(e) => {
                    let shape = walk.header(&mut e.expr).map(|s| s.in_loop(id));
                    walk.bind_or_refuse(&e.pat, shape);
                }
                cond => walk.visit_expr_mut(cond),
            }
            walk.block(body);
        });
    }

    fn if_expr(&mut self, e: &mut syn::ExprIf) {
        self.scoped(|walk| {
            walk.visit_expr_mut(&mut e.cond);
            walk.inside(Region::Branch, |walk| walk.block(&mut e.then_branch));
        });
        if let Some((_, otherwise)) = &mut e.else_branch {
            self.inside(Region::Branch, |walk| walk.visit_expr_mut(otherwise));
        }
    }

    fn match_expr(&mut self, e: &mut syn::ExprMatch) {
        let shape = self.header(&mut e.expr);
        for arm in &mut e.arms {
            self.scoped(|walk| {
                walk.bind_or_refuse(&arm.pat, shape.clone());
                walk.inside(Region::Branch, |walk| {
                    if let Pat::Guard(pat) = &mut arm.pat {
                        walk.visit_expr_mut(&mut pat.guard);
                    }
                    walk.visit_expr_mut(&mut arm.body);
                });
            });
        }
    }

    fn method_call(&mut self, expr: &mut Expr) {
        let Expr::MethodCall(call) = expr else { unreachable!("called for method calls") };
        let name = call.method.to_string();
        if is_self(&call.receiver) {
            return self.self_call(expr);
        }
        if let (Some(method), Some(shape)) = (traced_method(&name), self.shape(&call.receiver)) {
            self.walk_followed(&mut call.receiver);
            call.args.iter_mut().for_each(|arg| self.visit_expr_mut(arg));
            return self.traced(expr, shape, method);
        }
        if let ("apply" | "apply_t", Some(shape)) = (name.as_str(), call.args.first().and_then(|arg| self.shape(arg))) {
            self.visit_expr_mut(&mut call.receiver);
            let mut args = call.args.iter_mut();
            args.next().into_iter().for_each(|arg| self.walk_followed(arg));
            args.for_each(|arg| self.visit_expr_mut(arg));
            return self.applied(expr, shape);
        }
        match self.shape(&call.receiver) {
            Some(shape) => self.other_method(call, &shape),
            None => visit_mut::visit_expr_method_call_mut(self, call),
        }
    }

    /// A method of a submodule that is not its forward: harmless on a leaf.
    fn other_method(&mut self, call: &mut ExprMethodCall, shape: &Shape) {
        let harmless = matches!(call.method.to_string().as_str(), "len" | "is_empty" | "is_some" | "is_none" | "count");
        let module = matches!(shape, Shape::Module(origin) if self.is_module(origin));
        let span = call.method.span();
        self.walk_followed(&mut call.receiver);
        call.args.iter_mut().for_each(|arg| self.visit_expr_mut(arg));
        if harmless || self.untapped {
            return;
        }
        if !module {
            let method = call.method.to_string();
            return self.untraced(shape, span, |name| {
                format!(
                    "what `.{method}(..)` makes of `{name}` can't be followed, so that calls of it would not be tapped; \
                     loop over `&self.{name}`, or write `#[untapped]` on the statement"
                )
            });
        }
        if call.method.to_string().starts_with("forward") {
            let method = call.method.to_string();
            return self.untraced(shape, span, |name| {
                format!(
                    "`.{method}(..)` of `{name}` is not traced; call its `forward` or `forward_t`, or write `#[untapped]` on the \
                     statement"
                )
            });
        }
        self.check_leaf(call, shape);
    }

    /// A call: of a field if that is a foreign leaf.
    fn call_expr(&mut self, expr: &mut Expr) {
        let Expr::Call(call) = &mut *expr else { unreachable!("called for calls") };
        let leaf = |field: usize| self.model.fields[field].leaf.is_some();
        match self.shape(&call.func) {
            Some(shape) if shape.origin().is_some_and(|o| leaf(o.field)) => {
                self.walk_followed(&mut call.func);
                call.args.iter_mut().for_each(|arg| self.visit_expr_mut(arg));
                self.called_field(expr, shape);
            }
            _ => visit_mut::visit_expr_call_mut(self, call),
        }
    }

    /// `self.name(..)`.
    fn self_call(&mut self, expr: &mut Expr) {
        let Expr::MethodCall(call) = expr else { unreachable!("called for method calls") };
        call.args.iter_mut().for_each(|arg| self.visit_expr_mut(arg));
        let name = call.method.to_string();
        if !self.methods.contains(&name) || self.untapped {
            return;
        }
        match self.nested {
            Some(place) => self.events.push(Event::Helper {
                name: format!("{place}:{name}"),
                often: Often::Once,
                span: call.method.span(),
            }),
            None => {
                let often = self.often(&[]);
                self.events.push(Event::Helper { name: name.clone(), often, span: call.method.span() });
                self.helper_call(expr, &name);
            }
        }
    }

    /// A mention that is none of the forms that are traced.
    fn bare_mention(&mut self, expr: &mut Expr) {
        let Some(shape) = self.shape(expr) else { return };
        self.untraced(&shape, place_of(expr), |name| {
            format!(
                "`{name}` is a submodule, and what is done with it here can't be traced; call its `forward` here, \
                 or write `#[untapped]` on the statement"
            )
        });
    }

    fn field_expr(&mut self, expr: &mut Expr) {
        let Expr::Field(field) = &mut *expr else { unreachable!("called for fields") };
        if is_self(&field.base) || self.shape(&Expr::Field(field.clone())).is_some() {
            return self.bare_mention(expr);
        }
        match self.shape(&field.base) {
            Some(shape) if !self.untapped => {
                self.walk_followed(&mut field.base);
                self.read_data(expr, &shape);
            }
            _ => self.visit_expr_mut(&mut field.base),
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

/// Where an expression mentions what it is about: an error there underlines one token.
pub(crate) fn place_of(expr: &Expr) -> Span {
    match expr {
        Expr::Field(e) => e.member.span(),
        Expr::Index(e) => place_of(&e.expr),
        Expr::MethodCall(e) => e.method.span(),
        Expr::Paren(e) => place_of(&e.expr),
        Expr::Group(e) => place_of(&e.expr),
        Expr::Reference(e) => place_of(&e.expr),
        Expr::Unary(e) => place_of(&e.expr),
        Expr::Try(e) => place_of(&e.expr),
        other => other.span(),
    }
}

/// Takes an attribute off a statement, if it is there.
fn take_attr(stmt: &mut Stmt, name: &str) -> bool {
    match stmt {
        Stmt::Local(local) => remove(&mut local.attrs, name),
        Stmt::Macro(mac) => remove(&mut mac.attrs, name),
        Stmt::Expr(expr, _) => take_expr_attr(expr, name),
        Stmt::Item(_) => false,
    }
}

fn remove(attrs: &mut Vec<Attribute>, name: &str) -> bool {
    let before = attrs.len();
    attrs.retain(|a| !a.path().is_ident(name));
    attrs.len() < before
}

/// The same off an expression that stands as a statement: syn puts its attributes on the innermost expression on the left.
fn take_expr_attr(expr: &mut Expr, name: &str) -> bool {
    let (attrs, left) = match expr {
        Expr::Assign(e) => (&mut e.attrs, Some(&mut e.left)),
        Expr::Binary(e) => (&mut e.attrs, Some(&mut e.left)),
        Expr::MethodCall(e) => (&mut e.attrs, Some(&mut e.receiver)),
        Expr::Try(e) => (&mut e.attrs, Some(&mut e.expr)),
        Expr::Field(e) => (&mut e.attrs, Some(&mut e.base)),
        Expr::Index(e) => (&mut e.attrs, Some(&mut e.expr)),
        Expr::Call(e) => (&mut e.attrs, Some(&mut e.func)),
        Expr::Path(e) => (&mut e.attrs, None),
        Expr::If(e) => (&mut e.attrs, None),
        Expr::Match(e) => (&mut e.attrs, None),
        Expr::ForLoop(e) => (&mut e.attrs, None),
        Expr::While(e) => (&mut e.attrs, None),
        Expr::Loop(e) => (&mut e.attrs, None),
        Expr::Block(e) => (&mut e.attrs, None),
        Expr::Macro(e) => (&mut e.attrs, None),
        Expr::Return(e) => (&mut e.attrs, None),
        Expr::Paren(e) => (&mut e.attrs, None),
        Expr::Unary(e) => (&mut e.attrs, None),
        Expr::Closure(e) => (&mut e.attrs, None),
        _ => return false,
    };
    remove(attrs, name) || left.is_some_and(|left| take_expr_attr(left, name))
}
