//! What is left of some axes: sums, means, extremes.

use candle_core::{DType, Tensor};

use super::integer::{self, Ints};
use super::{Build, Compute, axis, int, ints, two};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("Sum", |attrs| reduce(attrs, |x, axes| x.sum(axes), Some((0, i64::wrapping_add)))),
    ("Mean", mean),
    ("Prod", |attrs| reduce(attrs, |x, axes| one_by_one(x, axes, 1., product), Some((1, i64::wrapping_mul)))),
    ("Max", |attrs| {
        reduce(
            attrs,
            |x, axes| one_by_one(x, axes, f64::NEG_INFINITY, |x, axis| x.max(axis)),
            Some((i64::MIN, Ord::max)),
        )
    }),
    ("Min", |attrs| {
        reduce(attrs, |x, axes| one_by_one(x, axes, f64::INFINITY, |x, axis| x.min(axis)), Some((i64::MAX, Ord::min)))
    }),
    ("Any", |attrs| reduce(attrs, |x, axes| one_by_one(x, axes, 0., |x, axis| x.max(axis)), None)),
    ("All", |attrs| reduce(attrs, |x, axes| one_by_one(x, axes, 1., |x, axis| x.min(axis)), None)),
    ("ArgMax", |_| two(|x, along| arg(x, along, Tensor::argmax))),
    ("ArgMin", |_| two(|x, along| arg(x, along, Tensor::argmin))),
    ("Cumsum", |attrs| running(attrs, 0., |a, b| a + b, i64::wrapping_add)),
    ("Cumprod", |attrs| running(attrs, 1., |a, b| a * b, i64::wrapping_mul)),
    ("CumulativeLogsumexp", |attrs| running(attrs, f64::NEG_INFINITY, log_add_exp, |a, _| a)),
    ("EuclideanNorm", |attrs| reduce(attrs, |x, axes| x.sqr()?.sum(axes)?.sqrt(), None)),
];

/// Of integers it is cut off towards zero.
fn mean(attrs: &Attrs<'_>) -> Result<Compute> {
    let (ints, float) = (Ints::read(attrs)?, reduce(attrs, |x, axes| x.mean(axes), None)?);
    let Compute::Tensors(float) = float else { unreachable!("a function of tensors") };
    let Compute::Tensors(sum) = reduce(attrs, |x, axes| x.sum(axes), Some((0, i64::wrapping_add)))? else {
        unreachable!("a function of tensors")
    };
    super::several(move |inputs| match inputs {
        [x, _] if ints.are(x) => {
            let sum = sum(inputs)?.remove(0);
            let count = (x.elem_count() / sum.elem_count().max(1)) as i64;
            Ok(vec![ints.map(&sum, |sum| sum / count.max(1))?])
        }
        _ => float(inputs),
    })
}

type Fold = (i64, fn(i64, i64) -> i64);

fn reduce(attrs: &Attrs<'_>, float: fn(&Tensor, &[usize]) -> Result<Tensor>, of_ints: Option<Fold>) -> Result<Compute> {
    let (keep, own) = (attrs.bool("keep_dims")?, Ints::read(attrs)?);
    two(move |x, along| {
        let mut axes = ints(along)?.into_iter().map(|along| axis(along, x.rank())).collect::<Result<Vec<_>>>()?;
        axes.sort_unstable();
        axes.dedup();
        let mut sizes = x.dims().to_vec();
        axes.iter().for_each(|axis| sizes[*axis] = 1);
        let reduced = match of_ints {
            _ if axes.is_empty() => return Ok(x.clone()),
            Some((start, f)) if own.are(x) => own.fold(x, &axes, start, f)?,
            None if integer::is(x) => {
                return Err(Error::Msg("it is not computed of integers".to_owned()));
            }
            _ => float(x, &axes)?,
        };
        if keep { reduced.reshape(sizes) } else { Ok(reduced) }
    })
}

/// Along one axis after the other, the last first, so that the others stay where they are. Of nothing it is `empty`.
fn one_by_one(x: &Tensor, axes: &[usize], empty: f64, f: impl Fn(&Tensor, usize) -> Result<Tensor>) -> Result<Tensor> {
    if x.elem_count() == 0 {
        let kept = (0..x.rank()).filter(|axis| !axes.contains(axis)).map(|axis| x.dims()[axis]);
        return Tensor::full(empty, kept.collect::<Vec<_>>(), x.device())?.to_dtype(x.dtype());
    }
    axes.iter().rev().try_fold(x.clone(), |x, axis| f(&x, *axis))
}

fn product(x: &Tensor, axis: usize) -> Result<Tensor> {
    let first = x.get_on_dim(axis, 0)?;
    (1..x.dims()[axis]).try_fold(first, |product, place| product * x.get_on_dim(axis, place)?)
}

fn arg(x: &Tensor, along: &Tensor, f: fn(&Tensor, usize) -> Result<Tensor>) -> Result<Tensor> {
    let axis = axis(int(along)?, x.rank())?;
    if x.dims()[axis] == 0 {
        return Err(Error::Msg(format!("there is nothing along axis {axis} of {:?}", x.dims())));
    }
    if x.elem_count() == 0 {
        let kept = (0..x.rank()).filter(|other| *other != axis).map(|other| x.dims()[other]);
        return Tensor::zeros(kept.collect::<Vec<_>>(), DType::I64, x.device());
    }
    f(x, axis)?.to_dtype(DType::I64)
}

/// What the elements so far come to, `start` being before the first.
fn running(
    attrs: &Attrs<'_>,
    start: f64,
    float: fn(&Tensor, &Tensor) -> Result<Tensor>,
    int: fn(i64, i64) -> i64,
) -> Result<Compute> {
    let (exclusive, reverse, ints) = (attrs.bool("exclusive")?, attrs.bool("reverse")?, Ints::read(attrs)?);
    two(move |x, along| {
        let axis = axis(super::int(along)?, x.rank())?;
        let len = x.dims()[axis];
        let mut given = vec![];
        let mut all = match len {
            0 => return Ok(x.clone()),
            _ => Tensor::full(start, x.narrow(axis, 0, 1)?.shape(), x.device())?.to_dtype(x.dtype())?,
        };
        for step in 0..len {
            let part = x.narrow(axis, if reverse { len - 1 - step } else { step }, 1)?;
            let before = all.clone();
            all = if ints.are(x) { ints.zip(&all, &part, |a, b| Some(int(a, b)))? } else { float(&all, &part)? };
            given.push(if exclusive { before } else { all.clone() });
        }
        if reverse {
            given.reverse();
        }
        Tensor::cat(&given, axis)
    })
}

/// `log(exp(a) + exp(b))`, which overflows nowhere.
fn log_add_exp(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (high, low) = (a.maximum(b)?, a.minimum(b)?);
    &high + ((low - &high)?.exp()? + 1.)?.log()?
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, b, f, i, output, outputs, rising, same};

    #[test]
    fn floats() {
        let x = rising(&[2, 3, 2]);
        let along =
            |op, axes: &[i64], keep| output(op, &[("keep_dims", A::Bool(keep))], &[x.clone(), i(&[axes.len()], axes)]);
        same(&along("Sum", &[0, -1], false), &[3], &[18., 26., 34.]);
        same(&along("Mean", &[1], true), &[2, 1, 2], &[3., 4., 9., 10.]);
        same(&along("Max", &[1, 0], false), &[2], &[11., 12.]);
        same(&along("Min", &[2], false), &[2, 3], &[1., 3., 5., 7., 9., 11.]);
        same(&along("Prod", &[0], false), &[3, 2], &[7., 16., 27., 40., 55., 72.]);
        same(&along("Sum", &[], false), &[2, 3, 2], &(1..=12).map(f64::from).collect::<Vec<_>>());
        assert!(outputs("Sum", &[], &[x.clone(), i(&[1], &[3])]).is_err());
        for (op, value) in [("Max", f64::NEG_INFINITY), ("Min", f64::INFINITY), ("Prod", 1.), ("Sum", 0.)] {
            let nothing = candle_core::Tensor::zeros((0, 3), candle_core::DType::F32, x.device()).unwrap();
            same(&output(op, &[], [nothing, i(&[2], &[0, 1])]), &[], &[value]);
        }
        same(&output("ArgMax", &[], &[f(&[2, 2], &[1., 3., 2., 0.]), i(&[], &[1])]), &[2], &[1., 0.]);
        same(&output("Any", &[], &[b(&[2, 2], &[0, 0, 0, 1]), i(&[], &[1])]), &[2], &[0., 1.]);
        same(&output("All", &[], &[b(&[2, 2], &[1, 1, 0, 1]), i(&[], &[1])]), &[2], &[1., 0.]);
    }

    #[test]
    fn integers() {
        let x = i(&[2, 2], &[1, 2, 3, i64::MAX]);
        let sum = output("Sum", &[], &[x.clone(), i(&[1], &[0])]);
        assert_eq!(sum.to_vec1::<i64>().unwrap(), [4, i64::MIN + 1]);
        assert_eq!(output("Prod", &[], &[i(&[3], &[2, 3, 4]), i(&[], &[0])]).to_scalar::<i64>().unwrap(), 24);
        assert_eq!(output("Max", &[], &[x, i(&[], &[1])]).to_vec1::<i64>().unwrap(), [2, i64::MAX]);
    }

    #[test]
    fn running_sums() {
        let x = f(&[3], &[1., 2., 4.]);
        let sums = |attrs: &[(&str, A<'_>)]| output("Cumsum", attrs, &[x.clone(), i(&[], &[0])]);
        same(&sums(&[]), &[3], &[1., 3., 7.]);
        same(&sums(&[("exclusive", A::Bool(true))]), &[3], &[0., 1., 3.]);
        same(&sums(&[("reverse", A::Bool(true))]), &[3], &[7., 6., 4.]);
    }
}
