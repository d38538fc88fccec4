//! Shapes: asking for them, changing them, joining and splitting.

use candle_core::{DType, Device, Tensor};

use super::{Build, Compute, axis, int, ints, many, one, room, room_for, size, three, two};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("Shape", |_| one(shape)),
    ("ShapeN", |_| super::several(|inputs| inputs.iter().map(shape).collect())),
    ("Size", |_| one(|x| scalar(x.elem_count()))),
    ("Rank", |_| one(|x| scalar(x.rank()))),
    ("Reshape", |_| two(reshape)),
    ("Squeeze", squeeze),
    ("ExpandDims", |_| two(|x, at| x.unsqueeze(axis(int(at)?, x.rank() + 1)?))),
    ("Transpose", |_| two(transpose)),
    ("Pack", pack),
    ("Unpack", unpack),
    ("ConcatV2", |_| {
        many(|inputs| match inputs {
            [parts @ .., along] => concat(parts, along),
            [] => Err(Error::Msg("it joins nothing".to_owned())),
        })
    }),
    ("Concat", |_| {
        many(|inputs| match inputs {
            [along, parts @ ..] => concat(parts, along),
            [] => Err(Error::Msg("it joins nothing".to_owned())),
        })
    }),
    ("Split", split),
    ("SplitV", |_| super::several(split_v)),
    ("Tile", |_| two(tile)),
    ("Pad", |_| two(|x, by| pad(x, by, None))),
    ("PadV2", |_| three(|x, by, value| pad(x, by, Some(value)))),
    ("MirrorPad", mirror_pad),
    ("Fill", |_| two(|sizes, value| broadcast_to(value, sizes))),
    ("BroadcastTo", |_| two(broadcast_to)),
    ("BroadcastArgs", |_| two(broadcast_args)),
    ("Range", |_| three(range)),
];

fn shape(x: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(x.dims().iter().map(|size| *size as i64).collect::<Vec<_>>(), x.rank(), &Device::Cpu)
}

fn scalar(value: usize) -> Result<Tensor> {
    Tensor::new(value as i64, &Device::Cpu)
}

fn sizes(x: &Tensor) -> Result<Vec<usize>> {
    let sizes: Vec<usize> = ints(x)?.into_iter().map(size).collect::<Result<_>>()?;
    room(&sizes)?;
    Ok(sizes)
}

/// One size may be -1: whatever is left.
fn reshape(x: &Tensor, to: &Tensor) -> Result<Tensor> {
    let mut to = ints(to)?;
    let wrong = |to: &[i64]| Error::Msg(format!("{:?} can't be given the shape {to:?}", x.dims()));
    if let Some(rest) = to.iter().position(|size| *size == -1) {
        to[rest] = 1;
        let others = to.iter().try_fold(1i64, |count, size| count.checked_mul(*size)).filter(|count| *count > 0);
        // Of nothing, nothing is left.
        let others = if x.elem_count() == 0 { others.or(Some(1)) } else { others };
        to[rest] = others.map_or(-1, |others| x.elem_count() as i64 / others);
    }
    let sizes: Vec<usize> = to.iter().copied().map(size).collect::<Result<_>>().map_err(|_| wrong(&to))?;
    let count = sizes.iter().try_fold(1usize, |count, size| count.checked_mul(*size));
    if count != Some(x.elem_count()) {
        return Err(wrong(&to));
    }
    room(&sizes)?;
    x.reshape(sizes)
}

fn squeeze(attrs: &Attrs<'_>) -> Result<Compute> {
    let axes = attrs.ints("squeeze_dims")?.or(attrs.ints("axis")?).unwrap_or_default();
    one(move |x| {
        let gone = axes.iter().map(|along| axis(*along, x.rank())).collect::<Result<Vec<_>>>()?;
        if let Some(axis) = gone.iter().find(|axis| x.dims()[**axis] != 1) {
            return Err(Error::Msg(format!("axis {axis} of {:?} is not of size 1", x.dims())));
        }
        let stays = |at: &usize| if axes.is_empty() { x.dims()[*at] != 1 } else { !gone.contains(at) };
        let sizes: Vec<usize> = (0..x.rank()).filter(stays).map(|at| x.dims()[at]).collect();
        x.reshape(sizes)
    })
}

fn transpose(x: &Tensor, order: &Tensor) -> Result<Tensor> {
    let order = ints(order)?.into_iter().map(|at| axis(at, x.rank())).collect::<Result<Vec<_>>>()?;
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.iter().copied().eq(0..x.rank()) {
        return Err(Error::Msg(format!("{order:?} is no order of the axes of {:?}", x.dims())));
    }
    x.permute(order)?.contiguous()
}

fn pack(attrs: &Attrs<'_>) -> Result<Compute> {
    let along = attrs.int("axis")?.unwrap_or(0);
    many(move |inputs| {
        let rank = inputs.first().map_or(0, Tensor::rank) + 1;
        Tensor::stack(inputs, axis(along, rank)?)
    })
}

fn unpack(attrs: &Attrs<'_>) -> Result<Compute> {
    let along = attrs.int("axis")?.unwrap_or(0);
    super::several(move |inputs| {
        let [x] = super::take(inputs)?;
        let axis = axis(along, x.rank())?;
        room_for(x.dims()[axis])?;
        (0..x.dims()[axis]).map(|at| x.get_on_dim(axis, at)).collect()
    })
}

fn concat(parts: &[Tensor], along: &Tensor) -> Result<Tensor> {
    let axis = axis(int(along)?, parts.first().map_or(0, Tensor::rank))?;
    // An empty part may be of any other size in old files; candle's own check compares the others.
    Tensor::cat(parts, axis)
}

fn split(attrs: &Attrs<'_>) -> Result<Compute> {
    let parts = size(attrs.int("num_split")?.unwrap_or(1))?;
    super::several(move |inputs| {
        let [along, x] = super::take(inputs)?;
        let axis = axis(int(along)?, x.rank())?;
        let whole = x.dims()[axis];
        if parts == 0 || whole % parts != 0 {
            return Err(Error::Msg(format!("axis {axis} of {:?} can't be split into {parts} equal parts", x.dims())));
        }
        room_for(parts)?;
        let len = whole / parts;
        (0..parts).map(|part| x.narrow(axis, part * len, len)).collect()
    })
}

fn split_v(inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let [x, lens, along] = super::take(inputs)?;
    let axis = axis(int(along)?, x.rank())?;
    let (whole, mut lens) = (x.dims()[axis] as i64, ints(lens)?);
    let wrong = || Error::Msg(format!("axis {axis} of {:?} can't be split so", x.dims()));
    let known = lens.iter().filter(|len| **len >= 0).try_fold(0i64, |sum, len| sum.checked_add(*len));
    let rest = known.and_then(|known| whole.checked_sub(known)).filter(|rest| *rest >= 0).ok_or_else(wrong)?;
    if let Some(open) = lens.iter_mut().find(|len| **len == -1) {
        *open = rest;
    } else if rest != 0 {
        return Err(wrong());
    }
    let mut first = 0;
    lens.into_iter()
        .map(|len| {
            let part = x.narrow(axis, first, size(len)?)?;
            first += size(len)?;
            Ok(part)
        })
        .collect()
}

fn tile(x: &Tensor, times: &Tensor) -> Result<Tensor> {
    let times: Vec<usize> = ints(times)?.into_iter().map(size).collect::<Result<_>>()?;
    if times.len() != x.rank() {
        return Err(Error::Msg(format!("{times:?} are not as many numbers as {:?} has axes", x.dims())));
    }
    let tiled = x.dims().iter().zip(&times).map(|(size, times)| {
        size.checked_mul(*times).ok_or_else(|| Error::Msg(format!("{size} times {times} is too large")))
    });
    let tiled: Vec<usize> = tiled.collect::<Result<_>>()?;
    room(&tiled)?;
    if tiled.contains(&0) {
        return Tensor::zeros(tiled, x.dtype(), x.device());
    }
    x.repeat(times)
}

/// How much is added before and behind every axis.
fn paddings(x: &Tensor, by: &Tensor) -> Result<Vec<(usize, usize)>> {
    let by = ints(by)?.into_iter().map(size).collect::<Result<Vec<_>>>()?;
    let (pairs, []) = by.as_chunks::<2>() else { return Err(Error::Msg("a padding is a pair".to_owned())) };
    if pairs.len() != x.rank() {
        return Err(Error::Msg(format!("{} paddings for the axes of {:?}", pairs.len(), x.dims())));
    }
    let padded = x.dims().iter().zip(pairs).map(|(size, [before, behind])| {
        size.checked_add(*before).and_then(|size| size.checked_add(*behind)).unwrap_or(usize::MAX)
    });
    room(&padded.collect::<Vec<_>>())?;
    Ok(pairs.iter().map(|[before, behind]| (*before, *behind)).collect())
}

fn pad(x: &Tensor, by: &Tensor, value: Option<&Tensor>) -> Result<Tensor> {
    let mut padded = x.clone();
    for (axis, (before, behind)) in paddings(x, by)?.into_iter().enumerate() {
        padded = super::window::pad(&padded, axis, before, behind, value)?;
    }
    Ok(padded)
}

fn mirror_pad(attrs: &Attrs<'_>) -> Result<Compute> {
    // Whether the element at the edge is repeated.
    let edge = usize::from(attrs.str("mode")? != Some("SYMMETRIC"));
    two(move |x, by| {
        let mut padded = x.clone();
        for (axis, (before, behind)) in paddings(x, by)?.into_iter().enumerate() {
            if before == 0 && behind == 0 {
                continue;
            }
            let len = x.dims()[axis];
            if before + edge > len || behind + edge > len {
                return Err(Error::Msg(format!("axis {axis} of {:?} is too short to be mirrored so", x.dims())));
            }
            let places =
                (0..before).rev().map(|at| at + edge).chain(0..len).chain((0..behind).map(|at| len - 1 - edge - at));
            let places: Vec<i64> = places.map(|at| at as i64).collect();
            let places = Tensor::new(places, x.device())?;
            padded = padded.contiguous()?.index_select(&places, axis)?;
        }
        Ok(padded)
    })
}

fn broadcast_to(x: &Tensor, to: &Tensor) -> Result<Tensor> {
    let to = sizes(to)?;
    x.broadcast_as(to)?.contiguous()
}

fn broadcast_args(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (a, b) = (sizes(a)?, sizes(b)?);
    let sizes: Vec<i64> = super::broadcast(&a, &b)?.into_iter().map(|size| size as i64).collect();
    Tensor::new(sizes, &Device::Cpu)
}

fn range(start: &Tensor, end: &Tensor, step: &Tensor) -> Result<Tensor> {
    if start.dtype() == DType::I64 {
        let (start, end, step) = (int(start)?, int(end)?, int(step)?);
        if step == 0 {
            return Err(Error::Msg("a range in steps of 0 has no end".to_owned()));
        }
        let (from, to) = if step > 0 { (start, end) } else { (end, start) };
        let span = i128::from(to) - i128::from(from);
        let count = (span.max(0) as u128).div_ceil(u128::from(step.unsigned_abs()));
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        room(&[count])?;
        return Tensor::new(
            (0..count as i64).map(|at| start.wrapping_add(at.wrapping_mul(step))).collect::<Vec<_>>(),
            &Device::Cpu,
        );
    }
    let number = |x: &Tensor| x.flatten_all()?.get(0)?.to_dtype(DType::F64)?.to_scalar::<f64>();
    let dtype = start.dtype();
    let (start, end, step) = (number(start)?, number(end)?, number(step)?);
    let count = ((end - start) / step).ceil().max(0.);
    if !count.is_finite() {
        return Err(Error::Msg(format!("a range from {start} to {end} in steps of {step} has no end")));
    }
    // In double precision first.
    room(&[count as usize, 3])?;
    let values: Vec<f64> = (0..count as usize).map(|at| start + at as f64 * step).collect();
    Tensor::new(values, &Device::Cpu)?.to_dtype(dtype)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, f, flat, i, output, outputs, rising, same};

    fn list(values: &[i64]) -> candle_core::Tensor {
        i(&[values.len()], values)
    }

    #[test]
    fn shapes_are_told_and_changed() {
        let x = rising(&[2, 1, 3]);
        same(&output("Shape", &[], [x.clone()]), &[3], &[2., 1., 3.]);
        same(&output("Size", &[], [x.clone()]), &[], &[6.]);
        assert_eq!(output("Reshape", &[], &[x.clone(), list(&[-1, 2])]).dims(), [3, 2]);
        assert_eq!(output("Squeeze", &[], [x.clone()]).dims(), [2, 3]);
        assert_eq!(output("Squeeze", &[("squeeze_dims", A::Ints(&[-2]))], [x.clone()]).dims(), [2, 3]);
        assert_eq!(output("ExpandDims", &[], &[x.clone(), i(&[], &[-1])]).dims(), [2, 1, 3, 1]);
        same(&output("Transpose", &[], &[x.clone(), list(&[2, 1, 0])]), &[3, 1, 2], &[1., 4., 2., 5., 3., 6.]);
        for to in [&[-1, 4][..], &[7], &[i64::MAX, i64::MAX], &[-2, 3], &[0, -1]] {
            assert!(outputs("Reshape", &[], &[x.clone(), list(to)]).is_err(), "{to:?}");
        }
        assert!(outputs("Transpose", &[], &[x, list(&[0, 0, 1])]).is_err());
    }

    #[test]
    fn values_are_joined_and_split() {
        let (a, b) = (rising(&[1, 2]), f(&[1, 2], &[8., 9.]));
        same(&output("ConcatV2", &[], &[a.clone(), b.clone(), i(&[], &[0])]), &[2, 2], &[1., 2., 8., 9.]);
        same(&output("Pack", &[("axis", A::Int(-1))], &[a.clone(), b]), &[1, 2, 2], &[1., 8., 2., 9.]);
        let parts = outputs("Unpack", &[("axis", A::Int(1))], &[a]).unwrap();
        assert_eq!(parts.iter().map(|part| flat(part).1[0]).collect::<Vec<_>>(), [1., 2.]);
        let parts = outputs("Split", &[("num_split", A::Int(2))], &[i(&[], &[0]), rising(&[4])]).unwrap();
        same(&parts[1], &[2], &[3., 4.]);
        let parts = outputs("SplitV", &[], &[rising(&[4]), list(&[1, -1]), i(&[], &[0])]).unwrap();
        same(&parts[1], &[3], &[2., 3., 4.]);
        assert!(outputs("SplitV", &[], &[rising(&[4]), list(&[5, -1]), i(&[], &[0])]).is_err());
        assert!(outputs("Split", &[("num_split", A::Int(0))], &[i(&[], &[0]), rising(&[4])]).is_err());
    }

    #[test]
    fn values_are_padded_and_repeated() {
        let x = rising(&[3]);
        same(&output("Pad", &[], &[x.clone(), i(&[1, 2], &[1, 2])]), &[6], &[0., 1., 2., 3., 0., 0.]);
        same(&output("PadV2", &[], &[x.clone(), i(&[1, 2], &[1, 0]), f(&[], &[7.])]), &[4], &[7., 1., 2., 3.]);
        let mirrored = |mode| output("MirrorPad", &[("mode", A::Str(mode))], &[x.clone(), i(&[1, 2], &[2, 1])]);
        same(&mirrored("REFLECT"), &[6], &[3., 2., 1., 2., 3., 2.]);
        same(&mirrored("SYMMETRIC"), &[6], &[2., 1., 1., 2., 3., 3.]);
        same(&output("Tile", &[], &[x.clone(), list(&[2])]), &[6], &[1., 2., 3., 1., 2., 3.]);
        same(&output("Fill", &[], &[list(&[2]), f(&[], &[5.])]), &[2], &[5., 5.]);
        same(&output("BroadcastTo", &[], &[f(&[2, 1], &[1., 2.]), list(&[2, 2])]), &[2, 2], &[1., 1., 2., 2.]);
        assert!(outputs("Fill", &[], &[list(&[1 << 40]), f(&[], &[5.])]).is_err());
        assert!(outputs("Tile", &[], &[x, list(&[1 << 62])]).is_err());
    }

    #[test]
    fn ranges() {
        let range =
            |a, b, c| output("Range", &[], &[i(&[], &[a]), i(&[], &[b]), i(&[], &[c])]).to_vec1::<i64>().unwrap();
        assert_eq!(range(1, 8, 3), [1, 4, 7]);
        assert_eq!(range(5, 0, -2), [5, 3, 1]);
        assert!(range(5, 5, 1).is_empty());
        same(&output("Range", &[], &[f(&[], &[0.]), f(&[], &[1.]), f(&[], &[0.4])]), &[3], &[0., 0.4, 0.8]);
        assert!(outputs("Range", &[], &[i(&[], &[0]), i(&[], &[i64::MAX]), i(&[], &[1])]).is_err());
        assert!(outputs("Range", &[], &[i(&[], &[0]), i(&[], &[1]), i(&[], &[0])]).is_err());
    }
}
