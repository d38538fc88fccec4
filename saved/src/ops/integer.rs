//! Arithmetic of integers, which wraps as in TensorFlow and never panics. They are shapes and indices, and few.

use candle_core::{DType, Tensor};

use super::broadcast;
use crate::{Error, Result};

/// Whether a value is of integers that are computed here.
pub(super) fn is(x: &Tensor) -> bool {
    x.dtype() == DType::I64
}

/// `f` of every element.
pub(super) fn map(x: &Tensor, f: impl Fn(i64) -> i64) -> Result<Tensor> {
    let values: Vec<i64> = x.flatten_all()?.to_vec1::<i64>()?.into_iter().map(f).collect();
    Tensor::from_vec(values, x.shape(), x.device())
}

/// `f` of the elements at the same place, once both are broadcast.
pub(super) fn zip(a: &Tensor, b: &Tensor, f: impl Fn(i64, i64) -> Option<i64>) -> Result<Tensor> {
    let sizes = broadcast(a.dims(), b.dims())?;
    let all = |x: &Tensor| x.broadcast_as(sizes.as_slice())?.flatten_all()?.to_vec1::<i64>();
    let values = all(a)?.into_iter().zip(all(b)?).map(|(a, b)| {
        f(a, b).ok_or_else(|| Error::Msg(format!("{a} and {b}: a division by zero, or a power that is negative")))
    });
    Tensor::from_vec(values.collect::<Result<_>>()?, sizes, a.device())
}

/// `f` of the elements along some axes, one after the other.
pub(super) fn fold(x: &Tensor, axes: &[usize], start: i64, f: impl Fn(i64, i64) -> i64) -> Result<Tensor> {
    let kept: Vec<usize> = (0..x.rank()).filter(|axis| !axes.contains(axis)).collect();
    let sizes: Vec<usize> = kept.iter().map(|axis| x.dims()[*axis]).collect();
    let order: Vec<usize> = kept.iter().chain(axes).copied().collect();
    let inner: usize = axes.iter().map(|axis| x.dims()[*axis]).product();
    let values = x.permute(order)?.flatten_all()?.to_vec1::<i64>()?;
    let folded = (0..sizes.iter().product())
        .map(|outer: usize| values[outer * inner..(outer + 1) * inner].iter().fold(start, |all, value| f(all, *value)));
    Tensor::from_vec(folded.collect::<Vec<i64>>(), sizes, x.device())
}
