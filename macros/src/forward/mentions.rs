//! Mentions of submodules: traced calls, what is harmless, and what is refused.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Expr, ExprMethodCall};

use super::control::Often;
use super::shape::{Shape, is_self};
use super::walk::{Event, Method, Walker};

/// Methods that run a submodule.
pub(crate) fn traced_method(name: &str) -> Option<Method> {
    match name {
        "forward" | "forward_t" => Some(Method::Forward),
        "step" => Some(Method::Step),
        "seq" | "seq_init" => Some(Method::Seq),
        _ => None,
    }
}

impl Walker<'_> {
    pub(crate) fn method_call(&mut self, expr: &mut Expr) {
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
    pub(crate) fn other_method(&mut self, call: &mut ExprMethodCall, shape: &Shape) {
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
        // What a copy computes has no taps.
        if call.method == "clone" || call.method == "to_owned" {
            return self.untraced(shape, span, |name| {
                format!("calls of a copy of `{name}` can't be traced; use `self.{name}` itself, or write `#[untapped]` on the statement")
            });
        }
        self.check_leaf(call, shape);
    }

    /// A call: of a field if that is a foreign leaf.
    pub(crate) fn call_expr(&mut self, expr: &mut Expr) {
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
    pub(crate) fn self_call(&mut self, expr: &mut Expr) {
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
    pub(crate) fn bare_mention(&mut self, expr: &mut Expr) {
        let Some(shape) = self.shape(expr) else { return };
        self.untraced(&shape, place_of(expr), |name| {
            format!(
                "`{name}` is a submodule, and what is done with it here can't be traced; call its `forward` here, \
                 or write `#[untapped]` on the statement"
            )
        });
    }

    pub(crate) fn field_expr(&mut self, expr: &mut Expr) {
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
