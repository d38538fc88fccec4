//! Attributes of statements.

use syn::{Attribute, Expr, Stmt};

/// Takes an attribute off a statement, if it is there.
pub(crate) fn take_attr(stmt: &mut Stmt, name: &str) -> bool {
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
