//! Taps on one line each: names, shapes and types instead of numbers.

use std::fmt;

use super::Visitor;
use crate::bundle;
use crate::site::Tree;

/// `Debug` of a generated `…Taps`.
pub fn debug<S: Tree>(type_name: &str, taps: &S::Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut shown = f.debug_struct(type_name);
    let mut found = |name: &str, value: &dyn std::any::Any, type_name: &'static str| {
        let tensors = bundle::tensors(name, value);
        if tensors.is_none() {
            shown.field(name, &format_args!("{}", type_name.rsplit("::").next().unwrap_or(type_name)));
        }
        for (name, tensor) in tensors.into_iter().flatten() {
            shown.field(&name, &format_args!("{:?} {}", tensor.dims(), tensor.dtype().as_str()));
        }
    };
    S::visit(taps, &mut Visitor::new(&mut found));
    shown.finish()
}
