//! Which steps cannot change a tensor's size along an axis. A step that is not listed may change anything.

use syn::{Expr, ExprClosure, Ident, Pat};

use super::sizes::Axis;
use crate::model::types::ungroup_expr;

/// Methods of `Tensor` that keep the shape.
const SHAPE: &[&str] = &[
    "abs",
    "affine",
    "ceil",
    "clamp",
    "contiguous",
    "copy",
    "cos",
    "detach",
    "elu",
    "erf",
    "exp",
    "floor",
    "gelu",
    "gelu_erf",
    "log",
    "neg",
    "powf",
    "recip",
    "relu",
    "round",
    "sign",
    "silu",
    "sin",
    "sqr",
    "sqrt",
    "tanh",
    "to_device",
    "to_dtype",
];

/// Methods of `Tensor` that change only the axes behind the channels.
const SPACE: &[&str] = &[
    "avg_pool2d",
    "avg_pool2d_with_stride",
    "interpolate1d",
    "interpolate2d",
    "max_pool2d",
    "max_pool2d_with_stride",
    "upsample_nearest1d",
    "upsample_nearest2d",
];

/// Is the tensor after `step` as long along `axis` as before?
pub(super) fn keeps(axis: Axis, step: &Expr) -> bool {
    match ungroup_expr(step) {
        Expr::Path(path) => {
            let mut segments = path.path.segments.iter().rev();
            let (method, ty) = (segments.next(), segments.next());
            let of_tensor = path.qself.is_none() && ty.is_some_and(|ty| ty.ident == "Tensor");
            of_tensor && method.is_some_and(|method| is_kept_by(axis, &method.ident))
        }
        Expr::Closure(closure) => {
            argument(closure).is_some_and(|argument| keeps_argument(axis, argument, &closure.body))
        }
        _ => false,
    }
}

fn argument(closure: &ExprClosure) -> Option<&Ident> {
    let mut pattern = closure.inputs.first().filter(|_| closure.inputs.len() == 1)?;
    if let Pat::Type(typed) = pattern {
        pattern = &typed.pat;
    }
    match pattern {
        Pat::Ident(ident) => Some(&ident.ident),
        _ => None,
    }
}

/// The argument itself, or listed methods called on it one after the other.
fn keeps_argument(axis: Axis, argument: &Ident, body: &Expr) -> bool {
    match ungroup_expr(body) {
        Expr::Path(path) => path.path.is_ident(argument),
        Expr::Try(inner) => keeps_argument(axis, argument, &inner.expr),
        Expr::MethodCall(call) => is_kept_by(axis, &call.method) && keeps_argument(axis, argument, &call.receiver),
        _ => false,
    }
}

fn is_kept_by(axis: Axis, method: &Ident) -> bool {
    let listed = |methods: &[&str]| methods.iter().any(|known| method == known);
    listed(SHAPE) || (axis == Axis::Channels && listed(SPACE))
}
