//! Elements that are looked for, counted and put in classes. None of it has a gradient.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};

use super::integer::all;
use super::{Build, Compute, axis, int, one, room, several, size, three, two};
use crate::dtype::Type;
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("Where", |_| one(places)),
    ("Unique", |_| several(|inputs| unique(inputs, 2))),
    ("UniqueV2", |_| several(|inputs| unique(inputs, 2))),
    ("UniqueWithCounts", |_| several(|inputs| unique(inputs, 3))),
    ("UniqueWithCountsV2", |_| several(|inputs| unique(inputs, 3))),
    ("ListDiff", |_| several(difference)),
    ("InvertPermutation", |_| one(inverse)),
    ("LowerBound", |_| two(|sorted, x| bounds(sorted, x, |sorted, x| sorted < x))),
    ("UpperBound", |_| two(|sorted, x| bounds(sorted, x, |sorted, x| sorted <= x))),
    ("Bucketize", bucketize),
    ("Bincount", bincount),
    ("DenseBincount", bincount),
    ("HistogramFixedWidth", |_| three(histogram)),
];

fn made(values: Vec<i64>) -> Result<Tensor> {
    let len = values.len();
    Tensor::from_vec(values, len, &Device::Cpu)
}

fn floats(x: &Tensor) -> Result<Vec<f64>> {
    x.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()
}

/// The places of what is not zero, a row each.
fn places(x: &Tensor) -> Result<Tensor> {
    let rank = x.rank();
    let values = floats(x)?;
    let count = values.iter().filter(|value| **value != 0.).count();
    // Of 64 bits each.
    room(&[count, rank, 2])?;
    let mut found = vec![0; count * rank];
    let chosen = values.into_iter().enumerate().filter(|(_, value)| *value != 0.);
    for (row, (at, _)) in chosen.enumerate() {
        let mut left = at;
        for axis in (0..rank).rev() {
            found[row * rank + axis] = (left % x.dims()[axis]) as i64;
            left /= x.dims()[axis];
        }
    }
    Tensor::from_vec(found, (count, rank), &Device::Cpu)
}

/// What tells whether two elements are the same.
fn keys(x: &Tensor) -> Result<Vec<i64>> {
    if x.dtype().is_float() {
        // Zeros are equal, whatever their signs.
        return Ok(floats(x)?.into_iter().map(|value| (value + 0.).to_bits().cast_signed()).collect());
    }
    all(x)
}

fn flat(x: &Tensor) -> Result<Tensor> {
    match x.rank() {
        1 => x.contiguous(),
        _ => Err(Error::Msg(format!("{:?} is no list", x.dims()))),
    }
}

/// The elements without those that were there before, which of them each is, and how often each is there.
fn unique(inputs: &[Tensor], outputs: usize) -> Result<Vec<Tensor>> {
    let x = match inputs {
        [x] => x,
        [x, along] if along.elem_count() == 0 || x.rank() == 1 => x,
        _ => return Err(Error::Msg("rows that are alike are not supported, only numbers".to_owned())),
    };
    let x = flat(x)?;
    let mut known: HashMap<i64, usize> = HashMap::new();
    let (mut first, mut which, mut counts) = (Vec::new(), Vec::new(), Vec::new());
    for (at, key) in keys(&x)?.into_iter().enumerate() {
        let place = *known.entry(key).or_insert_with(|| {
            first.push(at as i64);
            counts.push(0);
            first.len() - 1
        });
        counts[place] += 1;
        which.push(place as i64);
    }
    let mut given = vec![chosen(&x, first)?, made(which)?, made(counts)?];
    given.truncate(outputs);
    Ok(given)
}

fn chosen(x: &Tensor, places: Vec<i64>) -> Result<Tensor> {
    if places.is_empty() { x.narrow(0, 0, 0) } else { x.index_select(&made(places)?, 0) }
}

/// What is in the first list and not in the second, and where.
fn difference(inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let [x, without] = super::take(inputs)?;
    let (x, without) = (flat(x)?, keys(without)?);
    let without: std::collections::HashSet<i64> = without.into_iter().collect();
    let left = keys(&x)?.into_iter().enumerate().filter(|(_, key)| !without.contains(key));
    let left: Vec<i64> = left.map(|(at, _)| at as i64).collect();
    Ok(vec![chosen(&x, left.clone())?, made(left)?])
}

/// The place of every number in an order.
fn inverse(order: &Tensor) -> Result<Tensor> {
    let order = all(&flat(order)?)?;
    let mut places = vec![-1; order.len()];
    for (at, place) in order.iter().enumerate() {
        places[axis(*place, order.len())?] = at as i64;
    }
    match places.contains(&-1) {
        true => Err(Error::Msg(format!("{order:?} is no order: a place is there twice"))),
        false => made(places),
    }
}

/// How many of the elements of a sorted row come before each value.
fn bounds(sorted: &Tensor, x: &Tensor, before: fn(f64, f64) -> bool) -> Result<Tensor> {
    let (rows, len) = sorted.dims2()?;
    let (of_x, wanted) = x.dims2()?;
    if rows != of_x {
        return Err(Error::Msg(format!("{rows} sorted rows for {of_x} rows of values")));
    }
    let (sorted, values) = (floats(sorted)?, floats(x)?);
    let places = values.iter().enumerate().map(|(at, value)| {
        let row = at / wanted.max(1);
        sorted[row * len..(row + 1) * len].partition_point(|sorted| before(*sorted, *value)) as i64
    });
    Tensor::from_vec(places.collect::<Vec<_>>(), x.shape(), x.device())
}

/// How many of the boundaries each value has reached.
fn bucketize(attrs: &Attrs<'_>) -> Result<Compute> {
    let boundaries = match attrs.need("boundaries")? {
        crate::proto::Attr::List(list) => list.floats,
        _ => return Err(Error::Msg("the attribute `boundaries` is not a list".to_owned())),
    };
    one(move |x| {
        // A number that is none is behind all of them.
        let behind = |value: f64, boundary: f32| value.is_nan() || f64::from(boundary) <= value;
        let reached = |value: &f64| boundaries.partition_point(|boundary| behind(*value, *boundary)) as i64;
        Tensor::from_vec(floats(x)?.iter().map(reached).collect::<Vec<_>>(), x.shape(), x.device())
    })
}

fn bincount(attrs: &Attrs<'_>) -> Result<Compute> {
    let (binary, dtype) = (attrs.bool("binary_output")?, Type::of(attrs.ty("T")?.unwrap_or(1)).held()?);
    three(move |x, len, weights| count(x, len, weights, binary)?.to_dtype(dtype))
}

/// How often each number is there, or the sum of its weights; of a matrix, in every row. Larger numbers do not count.
fn count(x: &Tensor, len: &Tensor, weights: &Tensor, binary: bool) -> Result<Tensor> {
    let len = size(int(len)?)?;
    let (rows, columns) = match *x.dims() {
        [rows, columns] => (rows, columns),
        _ => (1, x.elem_count()),
    };
    room(&[rows, len])?;
    let weights = if weights.elem_count() == 0 || binary { None } else { Some(floats(weights)?) };
    if weights.as_ref().is_some_and(|weights| weights.len() != x.elem_count()) {
        return Err(Error::Msg("there are not as many weights as numbers".to_owned()));
    }
    let mut counts = vec![0f64; rows * len];
    for (at, number) in all(x)?.into_iter().enumerate() {
        let number = usize::try_from(number).map_err(|_| Error::Msg(format!("{number} can't be counted")))?;
        if number < len {
            let count = &mut counts[at / columns.max(1) * len + number];
            *count = if binary { 1. } else { *count + weights.as_ref().map_or(1., |weights| weights[at]) };
        }
    }
    let sizes = if x.rank() == 2 { vec![rows, len] } else { vec![len] };
    Tensor::from_vec(counts, sizes, x.device())
}

/// How many values are in each of as many parts of a range; what lies outside is in the first or the last.
fn histogram(x: &Tensor, range: &Tensor, parts: &Tensor) -> Result<Tensor> {
    let (range, parts) = (floats(range)?, size(int(parts)?)?);
    let [low, high] = range[..] else { return Err(Error::Msg("a range is two numbers".to_owned())) };
    room(&[parts])?;
    if parts == 0 || low.partial_cmp(&high) != Some(std::cmp::Ordering::Less) {
        return Err(Error::Msg(format!("{low} to {high} is no range that has {parts} parts")));
    }
    let mut counts = vec![0; parts];
    for value in floats(x)? {
        let part = ((value - low) / (high - low) * parts as f64).floor();
        counts[part.clamp(0., (parts - 1) as f64) as usize] += 1;
    }
    made(counts)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, b, f, i, output, outputs, same};

    #[test]
    fn what_is_looked_for() {
        same(&output("Where", &[], [b(&[2, 2], &[0, 1, 1, 0])]), &[2, 2], &[0., 1., 1., 0.]);
        same(&output("Where", &[], [f(&[2], &[0., 0.])]), &[0, 1], &[]);
        let given = outputs("UniqueWithCounts", &[], [i(&[4], &[7, 3, 7, 9])]).unwrap();
        same(&given[0], &[3], &[7., 3., 9.]);
        same(&given[1], &[4], &[0., 1., 0., 2.]);
        same(&given[2], &[3], &[2., 1., 1.]);
        let given = outputs("ListDiff", &[], [i(&[3], &[1, 2, 3]), i(&[1], &[2])]).unwrap();
        same(&given[0], &[2], &[1., 3.]);
        same(&given[1], &[2], &[0., 2.]);
        same(&output("InvertPermutation", &[], [i(&[3], &[2, 0, 1])]), &[3], &[1., 2., 0.]);
        assert!(outputs("InvertPermutation", &[], [i(&[2], &[1, 1])]).is_err());
        let rows = || [f(&[1, 3], &[0., 1., 2.]), f(&[1, 3], &[-1., 1., 5.])];
        same(&output("LowerBound", &[], rows()), &[1, 3], &[0., 1., 3.]);
        same(&output("UpperBound", &[], rows()), &[1, 3], &[0., 2., 3.]);
    }

    #[test]
    fn what_is_counted() {
        let (none, three) = (f(&[0], &[]), i(&[], &[3]));
        let ints = [("T", A::Type(1))];
        let of = |x, attrs: &[(&str, A<'_>)], weights| output("DenseBincount", attrs, [x, three.clone(), weights]);
        same(&of(i(&[4], &[1, 2, 1, 9]), &ints, none.clone()), &[3], &[0., 2., 1.]);
        let binary = [("T", A::Type(1)), ("binary_output", A::Bool(true))];
        same(&of(i(&[2, 2], &[1, 1, 0, 2]), &binary, none.clone()), &[2, 3], &[0., 1., 0., 1., 0., 1.]);
        same(&of(i(&[2], &[1, 1]), &ints, f(&[2], &[0.5, 2.])), &[3], &[0., 2.5, 0.]);
        assert!(outputs("DenseBincount", &ints, [i(&[1], &[-1]), three.clone(), none]).is_err());
        let parts = [f(&[4], &[-9., 0.1, 0.9, 9.]), f(&[2], &[0., 1.]), i(&[], &[2])];
        same(&output("HistogramFixedWidth", &[], parts), &[2], &[2., 2.]);
    }
}
