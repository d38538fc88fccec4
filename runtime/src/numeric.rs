//! What the tensor tools share: checks of their arguments, the precision they compute in, and the order of memory.

use std::cmp::Reverse;

use candle_core::{DType, Tensor, bail};

use crate::Result;

/// Refuses integers.
pub(crate) fn float(what: &str, x: &Tensor) -> Result<()> {
    if x.dtype().is_int() {
        bail!("`{what}` takes floats, and the tensor is {:?}: convert it by `to_dtype`", x.dtype());
    }
    Ok(())
}

/// Refuses an operand of another dtype or on another device than `x`.
pub(crate) fn same_kind(what: &str, x: &Tensor, operand: &Tensor) -> Result<()> {
    if x.dtype() != operand.dtype() {
        bail!(
            "`{what}`: the tensor is {:?} and the operand {:?}: convert one of them by `to_dtype`",
            x.dtype(),
            operand.dtype()
        );
    }
    same_device(what, x, operand)
}

/// Refuses an operand on another device than `x`.
pub(crate) fn same_device(what: &str, x: &Tensor, operand: &Tensor) -> Result<()> {
    let (own, other) = (x.device().location(), operand.device().location());
    if own != other {
        bail!("`{what}`: the tensor is on {own:?} and the operand on {other:?}: move one of them by `to_device`");
    }
    Ok(())
}

/// `operand` in the shape of `x`, by PyTorch's rules of broadcasting; never the other way round.
pub(crate) fn broadcast(what: &str, operand: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (from, to) = (operand.dims(), x.dims());
    let fits = from.len() <= to.len() && from.iter().rev().zip(to.iter().rev()).all(|(&f, &t)| f == t || f == 1);
    match fits {
        true if from == to => Ok(operand.clone()),
        // The gradient of a broadcast is a sum, and candle makes sums of halves in halves.
        true if operand.track_op() => widen(operand)?.broadcast_as(x.shape())?.to_dtype(operand.dtype()),
        true => operand.broadcast_as(x.shape()),
        false => bail!(
            "`{what}`: an operand of shape {from:?} does not broadcast to {to:?}: dimensions are matched from the \
             last, so add those that are missing by `unsqueeze`"
        ),
    }
}

/// The dtype to compute in, as PyTorch does: f32 for smaller floats, so that results are rounded once.
pub(crate) fn widened(dtype: DType) -> DType {
    match dtype {
        DType::BF16 | DType::F16 | DType::F8E4M3 => DType::F32,
        other => other,
    }
}

/// `x` in the dtype to compute in.
pub(crate) fn widen(x: &Tensor) -> Result<Tensor> {
    x.to_dtype(widened(x.dtype()))
}

/// The result of an intervention on `x`: in its dtype and in its order of memory.
pub(crate) fn finish(x: &Tensor, result: &Tensor) -> Result<Tensor> {
    like(x, &result.to_dtype(x.dtype())?)
}

/// The values of `y` in the memory order of `x`, which has the same shape.
///
/// candle's layers pick their kernels by contiguity, and those differ in the last bits: a contiguous `x` gives a
/// contiguous result, a transposed one a transposed result. Where `x` is a view with gaps, so is the result, with gaps of
/// one element.
pub(crate) fn like(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    if x.is_contiguous() {
        return y.contiguous();
    }
    if x.elem_count() == 0 || x.stride() == y.stride() {
        return Ok(y.clone());
    }
    let order = memory_order(x);
    let y = with_gaps(&y.permute(order.as_slice())?.contiguous()?, &gaps(&x.permute(order.as_slice())?))?;
    let mut inverse = vec![0; order.len()];
    for (place, &dim) in order.iter().enumerate() {
        inverse[dim] = place;
    }
    y.permute(inverse)
}

/// The dimensions of `x` from the slowest in memory to the fastest; repeated ones (stride 0) are the slowest.
fn memory_order(x: &Tensor) -> Vec<usize> {
    let mut order: Vec<usize> = (0..x.rank()).collect();
    order.sort_by_key(|&dim| Reverse(if x.stride()[dim] == 0 { usize::MAX } else { x.stride()[dim] }));
    order
}

/// Which dimensions of `x`, whose memory order is that of its dimensions, are followed by a gap; beyond the last stands
/// the elements themselves.
fn gaps(x: &Tensor) -> Vec<bool> {
    let mut gaps = vec![false; x.rank() + 1];
    let (mut inner, mut dense) = (x.rank(), 1);
    for dim in (0..x.rank()).rev().filter(|&dim| x.dims()[dim] > 1) {
        gaps[inner] = x.stride()[dim] != dense;
        dense = x.stride()[dim] * x.dims()[dim];
        inner = dim;
    }
    gaps
}

fn with_gaps(y: &Tensor, gaps: &[bool]) -> Result<Tensor> {
    if gaps.iter().all(|gap| !gap) {
        return Ok(y.clone());
    }
    let mut wide = y.unsqueeze(y.rank())?;
    for dim in (0..gaps.len()).filter(|&dim| gaps[dim]) {
        let mut dims = wide.dims().to_vec();
        dims[dim] = 1;
        wide = Tensor::cat(&[&wide, &Tensor::zeros(dims, y.dtype(), y.device())?], dim)?;
    }
    let narrowed = y.dims().iter().enumerate().try_fold(wide, |wide, (dim, &size)| wide.narrow(dim, 0, size))?;
    narrowed.narrow(y.rank(), 0, 1)?.squeeze(y.rank())
}
