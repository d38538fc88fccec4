//! What binds variables to what comes from a field: `let`, loops, branches, closures. Headers stay as they are written;
//! the variables are followed.

use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::visit_mut::VisitMut;
use syn::{Expr, Pat};

use super::control::{Region, Varying};
use super::mentions::place_of;
use super::shape::{Shape, is_self};
use super::walk::Walker;

impl Walker<'_> {
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

    pub(crate) fn bind_or_refuse(&mut self, pat: &Pat, shape: Option<Shape>) {
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
    pub(crate) fn closure(&mut self, closure: &mut syn::ExprClosure, element: Option<Shape>) {
        self.scoped(|walk| {
            for param in &closure.inputs {
                walk.bind_or_refuse(param, element.clone());
            }
            walk.in_nested("a closure", |walk| walk.visit_expr_mut(&mut closure.body));
        });
    }

    pub(crate) fn for_loop(&mut self, e: &mut syn::ExprForLoop) {
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

    pub(crate) fn in_loop(&mut self, varying: Varying, walk: impl FnOnce(&mut Self, usize)) {
        self.loops += 1;
        let id = self.loops;
        self.inside(Region::Loop { id, varying: varying.0 }, |w| w.scoped(|w| walk(w, id)));
    }

    pub(crate) fn while_loop(&mut self, e: &mut syn::ExprWhile) {
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

    pub(crate) fn if_expr(&mut self, e: &mut syn::ExprIf) {
        self.scoped(|walk| {
            walk.visit_expr_mut(&mut e.cond);
            walk.inside(Region::Branch, |walk| walk.block(&mut e.then_branch));
        });
        if let Some((_, otherwise)) = &mut e.else_branch {
            self.inside(Region::Branch, |walk| walk.visit_expr_mut(otherwise));
        }
    }

    pub(crate) fn match_expr(&mut self, e: &mut syn::ExprMatch) {
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
}
