//! What operations ask of their inputs, beside what candle does, whose kernels would panic or name nothing.

use candle_core::{D, Result, Tensor, bail};

/// `x` is stored in order.
pub(super) fn contiguous(op: &str, name: &str, x: &Tensor) -> Result<()> {
    if !x.is_contiguous() {
        bail!("`{op}`: `{name}`, {:?}, is not contiguous: call `contiguous()` on it first", x.shape());
    }
    Ok(())
}

/// `x` has numbers with a fraction: candle panics on others.
pub(super) fn floats(op: &str, x: &Tensor) -> Result<()> {
    if !x.dtype().is_float() {
        bail!("`{op}`: `x` is {:?}, not of floating-point numbers: convert it with `to_dtype`", x.dtype());
    }
    Ok(())
}

/// `x` has a last dimension with something in it; how much.
pub(super) fn at_least_one(op: &str, x: &Tensor) -> Result<usize> {
    match x.dim(D::Minus1) {
        Ok(width @ 1..) => Ok(width),
        Ok(_) => bail!("`{op}`: the last dimension of `x`, {:?}, is empty: leave such a tensor out", x.shape()),
        Err(_) => bail!("`{op}`: `x` is a scalar: `reshape` it to one dimension at least"),
    }
}

/// `value` is of the type of `x`. Whether they are on one device candle checks, and says so.
pub(super) fn same_type(op: &str, (x_name, x): (&str, &Tensor), (name, value): (&str, &Tensor)) -> Result<()> {
    if x.dtype() != value.dtype() {
        let (x, value) = (x.dtype(), value.dtype());
        bail!("`{op}`: `{name}` is {value:?} where `{x_name}` is {x:?}: convert one with `to_dtype`");
    }
    Ok(())
}

/// `weight`, one number for each of the last dimension of `x`, fits it.
pub(super) fn fits(op: &str, x: &Tensor, name: &str, weight: &Tensor) -> Result<()> {
    let width = at_least_one(op, x)?;
    if weight.dims() != [width] {
        let (x, weight) = (x.shape(), weight.shape());
        bail!("`{op}`: `{name}` is {weight:?} where the last dimension of `x`, {x:?}, asks for [{width}]");
    }
    same_type(op, ("x", x), (name, weight))?;
    contiguous(op, name, weight)
}
