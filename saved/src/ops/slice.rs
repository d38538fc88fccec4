//! Parts of a value along its axes.

use candle_core::Tensor;

use super::{Build, Compute, axis, ints, three, two};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("Slice", |_| three(slice)),
    ("StridedSlice", strided),
    ("ReverseV2", |_| two(reverse)),
    ("Roll", |_| three(roll)),
    ("ReverseSequence", reverse_rows),
];

fn slice(x: &Tensor, begin: &Tensor, sizes: &Tensor) -> Result<Tensor> {
    let (begin, sizes) = (ints(begin)?, ints(sizes)?);
    if begin.len() != x.rank() || sizes.len() != x.rank() {
        return Err(Error::Msg(format!("{begin:?} and {sizes:?} are not of the axes of {:?}", x.dims())));
    }
    let mut part = x.clone();
    for (axis, (begin, len)) in begin.into_iter().zip(sizes).enumerate() {
        let whole = x.dims()[axis];
        let wrong = || Error::Msg(format!("{len} elements from {begin} along axis {axis} of {:?}", x.dims()));
        let begin = usize::try_from(begin).ok().filter(|begin| *begin <= whole).ok_or_else(wrong)?;
        // -1 is all that is left.
        let len = if len == -1 { whole - begin } else { usize::try_from(len).map_err(|_| wrong())? };
        if len > whole - begin {
            return Err(wrong());
        }
        part = part.narrow(axis, begin, len)?;
    }
    Ok(part)
}

fn reverse(x: &Tensor, along: &Tensor) -> Result<Tensor> {
    ints(along)?.into_iter().try_fold(x.clone(), |x, along| {
        let axis = axis(along, x.rank())?;
        every(&x, axis, x.dims()[axis] as i64 - 1, -1, -1)
    })
}

/// Moved along axes, what falls off at the end coming in at the beginning.
fn roll(x: &Tensor, by: &Tensor, along: &Tensor) -> Result<Tensor> {
    let (by, along) = (ints(by)?, ints(along)?);
    if by.len() != along.len() {
        return Err(Error::Msg(format!("{by:?} are not as many numbers as the axes {along:?}")));
    }
    by.into_iter().zip(along).try_fold(x.clone(), |x, (by, along)| {
        let axis = axis(along, x.rank())?;
        let len = x.dims()[axis];
        let by = by.rem_euclid(len.max(1) as i64) as usize;
        if by == 0 { Ok(x) } else { Tensor::cat(&[x.narrow(axis, len - by, by)?, x.narrow(axis, 0, len - by)?], axis) }
    })
}

/// Of every element of the batch, so many first elements backwards.
fn reverse_rows(attrs: &Attrs<'_>) -> Result<Compute> {
    let (along, batch) = (attrs.int("seq_dim")?.unwrap_or(0), attrs.int("batch_dim")?.unwrap_or(0));
    two(move |x, lens| {
        let (along, batch) = (axis(along, x.rank())?, axis(batch, x.rank())?);
        let (len, lens) = (x.dims()[along], lens.flatten_all()?.to_vec1::<i64>()?);
        if lens.len() != x.dims()[batch] || along == batch || lens.iter().any(|own| !(0..=len as i64).contains(own)) {
            return Err(Error::Msg(format!("{lens:?} are no lengths along axis {along} of {:?}", x.dims())));
        }
        let rows = lens.into_iter().enumerate().map(|(row, own)| {
            let places: Vec<i64> = (0..own).rev().chain(own..len as i64).collect();
            x.narrow(batch, row, 1)?.contiguous()?.index_select(&Tensor::from_vec(places, len, x.device())?, along)
        });
        let rows = rows.collect::<Result<Vec<_>>>()?;
        if rows.is_empty() { Ok(x.clone()) } else { Tensor::cat(&rows, batch) }
    })
}

/// The elements from `begin` to `end`, which is not among them, in steps.
fn every(x: &Tensor, axis: usize, begin: i64, end: i64, step: i64) -> Result<Tensor> {
    let span = if step > 0 { end.saturating_sub(begin) } else { begin.saturating_sub(end) };
    let count = (span.max(0).unsigned_abs()).div_ceil(step.unsigned_abs());
    if count == 0 {
        return x.narrow(axis, 0, 0);
    }
    if step == 1 {
        return x.narrow(axis, super::size(begin)?, super::size(end - begin)?);
    }
    let places: Vec<i64> = (0..count as i64).map(|at| begin + at * step).collect();
    x.contiguous()?.index_select(&Tensor::new(places, x.device())?, axis)
}

/// What Python's `x[a:b:c, ..., None, 3]` means.
fn strided(attrs: &Attrs<'_>) -> Result<Compute> {
    let mask = |name| Ok::<_, Error>(attrs.int(name)?.unwrap_or(0));
    let (begins, ends, ellipsis) = (mask("begin_mask")?, mask("end_mask")?, mask("ellipsis_mask")?);
    let (new, shrink) = (mask("new_axis_mask")?, mask("shrink_axis_mask")?);
    super::several(move |inputs| {
        let [x, begin, end, step] = super::take(inputs)?;
        let (begin, end, step) = (ints(begin)?, ints(end)?, ints(step)?);
        if begin.len() != end.len() || begin.len() != step.len() || begin.len() > 32 {
            return Err(Error::Msg(format!("{begin:?}, {end:?} and {step:?} are no slice")));
        }
        let is = |mask: i64, at: usize| mask >> at & 1 == 1;
        let has = |at: usize| !is(new, at) && !is(ellipsis, at);
        let named = (0..begin.len()).filter(|at| has(*at)).count();
        let mut part = x.clone();
        // The axis that comes next, in the part as it is.
        let mut axis = 0;
        let mut gone = Vec::new();
        for at in 0..begin.len() {
            if is(ellipsis, at) {
                axis += x.rank().checked_sub(named).ok_or_else(|| too_many(x))?;
                continue;
            }
            if is(new, at) {
                part = part.unsqueeze(axis)?;
                axis += 1;
                continue;
            }
            let whole = *part.dims().get(axis).ok_or_else(|| too_many(x))? as i64;
            let step = step[at];
            if step == 0 || step == i64::MIN {
                return Err(Error::Msg(format!("a slice in steps of {step}")));
            }
            let from_front = |place: i64| if place < 0 { place.saturating_add(whole) } else { place };
            if is(shrink, at) {
                let place = from_front(begin[at]);
                if !(0..whole).contains(&place) {
                    return Err(Error::Msg(format!(
                        "there is no element {} along axis {axis} of {:?}",
                        begin[at],
                        x.dims()
                    )));
                }
                part = part.narrow(axis, super::size(place)?, 1)?;
                gone.push(axis);
            } else {
                // Backwards it goes from the last element to before the first.
                let (low, high) = if step > 0 { (0, whole) } else { (-1, whole - 1) };
                let begin = if is(begins, at) {
                    if step > 0 { low } else { high }
                } else {
                    from_front(begin[at]).clamp(low, high)
                };
                let end =
                    if is(ends, at) { if step > 0 { high } else { low } } else { from_front(end[at]).clamp(low, high) };
                part = every(&part, axis, begin, end, step)?;
            }
            axis += 1;
        }
        for axis in gone.into_iter().rev() {
            part = part.squeeze(axis)?;
        }
        Ok(vec![part])
    })
}

fn too_many(x: &Tensor) -> Error {
    Error::Msg(format!("the slice has more axes than {:?}", x.dims()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, i, output, outputs, rising, same};

    fn list(values: &[i64]) -> candle_core::Tensor {
        i(&[values.len()], values)
    }

    fn of(masks: &[(&str, i64)], begin: &[i64], end: &[i64], step: &[i64]) -> (Vec<usize>, Vec<f64>) {
        let masks: Vec<_> = masks.iter().map(|(name, mask)| (*name, A::Int(*mask))).collect();
        let x = rising(&[2, 3, 4]);
        super::super::testing::flat(&output("StridedSlice", &masks, &[x, list(begin), list(end), list(step)]))
    }

    #[test]
    fn slices_are_pythons() {
        // x[1, 0:2, ::2]
        let (shape, values) =
            of(&[("shrink_axis_mask", 1), ("begin_mask", 4), ("end_mask", 4)], &[1, 0, 0], &[2, 2, 0], &[1, 1, 2]);
        assert_eq!((shape, values), (vec![2, 2], vec![13., 15., 17., 19.]));
        // x[..., -1]
        let (shape, values) = of(&[("ellipsis_mask", 1), ("shrink_axis_mask", 2)], &[0, -1], &[0, 0], &[1, 1]);
        assert_eq!((shape, values), (vec![2, 3], vec![4., 8., 12., 16., 20., 24.]));
        // x[:1, None, :, ::-2]
        let masks = [("begin_mask", 0b1101), ("end_mask", 0b1100), ("new_axis_mask", 2)];
        let (shape, values) = of(&masks, &[0, 0, 0, 0], &[1, 0, 0, 0], &[1, 1, 1, -2]);
        assert_eq!((shape, values), (vec![1, 1, 3, 2], vec![4., 2., 8., 6., 12., 10.]));
        // x[5:9] and x[1:0]
        assert_eq!(of(&[], &[5], &[9], &[1]).0, [0, 3, 4]);
        assert_eq!(of(&[], &[1], &[0], &[1]).0, [0, 3, 4]);
    }

    #[test]
    fn what_is_no_slice_is_an_error() {
        let x = rising(&[2]);
        for (begin, step) in [(2, 1), (-3, 1), (0, 0)] {
            let masks = [("shrink_axis_mask", A::Int(1))];
            assert!(outputs("StridedSlice", &masks, &[x.clone(), list(&[begin]), list(&[0]), list(&[step])]).is_err());
        }
        let two = [x.clone(), list(&[0, 0]), list(&[1, 1]), list(&[1, 1])];
        assert!(outputs("StridedSlice", &[], &two).is_err());
        assert!(outputs("Slice", &[], &[x.clone(), list(&[1]), list(&[2])]).is_err());
        assert!(outputs("StridedSlice", &[], &[x, list(&[0]), list(&[i64::MIN]), list(&[i64::MAX])]).is_ok());
    }

    #[test]
    fn parts_and_reversals() {
        let x = rising(&[2, 3]);
        same(&output("Slice", &[], &[x.clone(), list(&[0, 1]), list(&[-1, 2])]), &[2, 2], &[2., 3., 5., 6.]);
        same(&output("ReverseV2", &[], &[x, list(&[-1])]), &[2, 3], &[3., 2., 1., 6., 5., 4.]);
        let rolled = output("Roll", &[], &[rising(&[4]), list(&[1]), list(&[0])]);
        same(&rolled, &[4], &[4., 1., 2., 3.]);
        let rows = [("seq_dim", A::Int(1)), ("batch_dim", A::Int(0))];
        let y = output("ReverseSequence", &rows, &[rising(&[2, 3]), list(&[2, 3])]);
        same(&y, &[2, 3], &[2., 1., 3., 6., 5., 4.]);
        assert!(outputs("ReverseSequence", &rows, &[rising(&[2, 3]), list(&[2, 4])]).is_err());
    }
}
