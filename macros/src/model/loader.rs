//! `#[load(...)]`. All of it is one expression: `key = value` is an assignment to Rust's grammar, so that loaders nest
//! in `each` and `maybe` without a grammar of their own.

use syn::{Attribute, Expr, ExprCall, ExprClosure, Ident, Meta};

use crate::ctxt::Ctxt;
use crate::model::ir::Load;
use crate::model::symbols::{self, LOADERS};
use crate::model::types::ungroup_expr;
use crate::suggest;

/// The loader of one `#[load(...)]`; errors go to `cx`. In the place of a wrong one stands one that fits any type, so
/// that the model keeps its `load` and calls of it are no further errors.
pub(crate) fn parse(cx: &Ctxt, attr: &Attribute) -> Load {
    parse_list(cx, attr)
        .unwrap_or_else(|| Load::Expr(syn::parse_quote!(::core::option::Option::unwrap(::core::option::Option::None))))
}

fn parse_list(cx: &Ctxt, attr: &Attribute) -> Option<Load> {
    let Meta::List(list) = &attr.meta else {
        cx.error(&attr.meta, "`#[load]` takes a loader in parentheses; write `#[load(ctor(…))]`");
        return None;
    };
    if list.tokens.is_empty() {
        cx.error(
            &attr.meta,
            "`#[load]` is empty; write `#[load(ctor(…))]`, or remove it for the loader of the field's type",
        );
        return None;
    }
    match list.parse_args::<Expr>().and_then(|expr| from_expr(&expr)) {
        Ok(load) => Some(load),
        Err(error) => {
            cx.syn_error(error);
            None
        }
    }
}

fn from_expr(expr: &Expr) -> syn::Result<Load> {
    match ungroup_expr(expr) {
        Expr::Assign(assign) => from_key(&assign.left, (*assign.right).clone()),
        Expr::Call(call) => from_call(call),
        Expr::Path(path) => {
            let name = last_name(path);
            Err(error(
                expr,
                match symbols::loader_written(&name) {
                    Some(written) => format!("`{name}` is incomplete; write `{written}`"),
                    None => {
                        format!("`{name}` is not called; write `{name}(…)` with its arguments, without the builder")
                    }
                },
            ))
        }
        Expr::Try(_) => Err(error(expr, "the loader hands on errors itself; remove the `?`")),
        _ => Err(error(expr, "this is not a loader; write a call of a constructor without its builder, or `expr = …`")),
    }
}

/// `value = e` and its like.
fn from_key(key: &Expr, value: Expr) -> syn::Result<Load> {
    let Some(name) = single_name(key) else {
        return Err(error(key, "this is not a key of `#[load]`; the keys are `value`, `expr` and `config`"));
    };
    match name.to_string().as_str() {
        "value" => Ok(Load::Value(value)),
        "expr" => Ok(Load::Expr(value)),
        "config" => Ok(Load::Config(value)),
        other => Err(error(
            key,
            match symbols::loader_written(other) {
                Some(written) => format!("`{other}` is written as a call; write `{written}`"),
                None => {
                    let hint = suggest::hint(
                        other,
                        ["value", "expr", "config"],
                        "; the keys are `value`, `expr` and `config`",
                    );
                    format!("`{other}` is not a key of `#[load]`{hint}")
                }
            },
        )),
    }
}

/// A constructor, or one of the loaders that look like one. A path of several segments (`self::each(3)`) is always a
/// constructor.
fn from_call(call: &ExprCall) -> syn::Result<Load> {
    let name = single_name(&call.func).map(Ident::to_string).unwrap_or_default();
    let args: Vec<&Expr> = call.args.iter().collect();
    match (name.as_str(), args.as_slice()) {
        ("each", [count]) => Ok(Load::Each { count: (*count).clone(), element: None }),
        ("each", [count, element]) => each(count, element),
        ("maybe", [cond]) => Ok(Load::Maybe { cond: (*cond).clone(), inner: None }),
        ("maybe", [cond, inner]) => Ok(Load::Maybe { cond: (*cond).clone(), inner: Some(Box::new(from_expr(inner)?)) }),
        ("tensor", [shape]) => Ok(Load::Tensor { shape: (*shape).clone() }),
        (special, args) => match LOADERS.iter().find(|(loader, _)| *loader == special) {
            Some((_, written)) if matches!(special, "each" | "maybe" | "tensor") => {
                Err(error(call, format!("`{special}` does not take {} arguments; write `{written}`", args.len())))
            }
            Some((_, written)) => Err(error(call, format!("`{special}` is not called; write `{written}`"))),
            None => Ok(Load::Ctor(call.clone())),
        },
    }
}

fn each(count: &Expr, element: &Expr) -> syn::Result<Load> {
    const WRITTEN: &str = "write `each(n, |i| ctor(…))`";
    let Expr::Closure(closure) = ungroup_expr(element) else {
        return Err(error(element, format!("the second argument of `each` is a closure of the index; {WRITTEN}")));
    };
    if !is_plain(closure) || closure.inputs.len() != 1 {
        return Err(error(element, format!("the closure of `each` is plain and takes the index alone; {WRITTEN}")));
    }
    closure.modifiers.require_empty()?;
    let element = (closure.inputs[0].clone(), Box::new(from_expr(&closure.body)?));
    Ok(Load::Each { count: count.clone(), element: Some(element) })
}

fn is_plain(closure: &ExprClosure) -> bool {
    closure.lifetimes.is_none()
        && closure.constness.is_none()
        && closure.asyncness.is_none()
        && matches!(closure.output, syn::ReturnType::Default)
}

/// The path's name when it is a lone identifier.
fn single_name(expr: &Expr) -> Option<&Ident> {
    match ungroup_expr(expr) {
        Expr::Path(path) if path.qself.is_none() => path.path.get_ident(),
        _ => None,
    }
}

fn last_name(path: &syn::ExprPath) -> String {
    path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default()
}

fn error(spanned: &impl quote::ToTokens, message: impl std::fmt::Display) -> syn::Error {
    syn::Error::new_spanned(spanned, message)
}
