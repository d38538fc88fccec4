//! Types, matched by their tokens.

use syn::{GenericArgument, PathArguments, Type};

/// The type without the invisible groups that a `macro_rules!` puts around a `$ty`, and without parentheses.
pub(crate) fn ungroup(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            other => return other,
        };
    }
}

/// The expression without invisible groups and parentheses.
pub(crate) fn ungroup_expr(mut expr: &syn::Expr) -> &syn::Expr {
    loop {
        expr = match expr {
            syn::Expr::Group(group) => &group.expr,
            syn::Expr::Paren(paren) => &paren.expr,
            other => return other,
        };
    }
}

/// What a field holds, as far as its tokens tell.
pub(crate) enum Holds<'a> {
    One,
    Vec(&'a Type),
    Array(&'a Type),
    Option(&'a Type),
}

/// Looks through groups, not through aliases: a macro cannot.
pub(crate) fn holds(ty: &Type) -> Holds<'_> {
    match ungroup(ty) {
        Type::Array(array) => Holds::Array(&array.elem),
        Type::Path(path) => {
            let Some(last) = path.path.segments.last() else { return Holds::One };
            match (last.ident.to_string().as_str(), only_argument(&last.arguments)) {
                ("Vec", Some(element)) => Holds::Vec(element),
                ("Option", Some(element)) => Holds::Option(element),
                _ => Holds::One,
            }
        }
        _ => Holds::One,
    }
}

fn only_argument(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    match arguments.args.first() {
        Some(GenericArgument::Type(ty)) if arguments.args.len() == 1 => Some(ty),
        _ => None,
    }
}
