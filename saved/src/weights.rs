//! Tensors of a checkpoint.

use std::ops::Range;

use candle_core::Tensor;
use taper_saved_structure::checkpoint::Checkpoint;
use taper_saved_structure::slices::Slice;

use crate::dtype::Type;
use crate::limits::SLICES;
use crate::proto::BundleEntry;
use crate::values::Gather;

use taper_saved_structure::{Error, Result};

/// The tensor of a key.
pub(crate) fn tensor(checkpoint: &Checkpoint, key: &str) -> Result<Tensor> {
    let entry = checkpoint.entry(key)?;
    whole(checkpoint, key, &entry).map_err(|error| error.reworded(|text| format!("the tensor `{key}`: {text}")))
}

/// One of the parts that a tensor is saved in.
pub(crate) fn part(checkpoint: &Checkpoint, key: &str, part: &Slice) -> Result<Tensor> {
    read(checkpoint, &checkpoint.part(key, part)?)
}

/// A tensor that is saved as one or in parts.
fn whole(checkpoint: &Checkpoint, key: &str, entry: &BundleEntry) -> Result<Tensor> {
    if entry.slices.is_empty() {
        return read(checkpoint, entry);
    }
    // A part that is named twice would be in memory twice, so that what they are comes before what is in them.
    let wrong = |shape: &[usize]| checkpoint.damaged(format!("its slices are not parts that make up {shape:?}"));
    let shape = entry.shape.known().map_err(|error| checkpoint.damaged(error))?;
    let ranges = ranges(&entry.slices, &shape).ok_or_else(|| wrong(&shape))?;
    let parts = entry.slices.iter().map(|slice| read(checkpoint, &checkpoint.part(key, slice)?));
    let parts = parts.collect::<Result<Vec<_>>>()?;
    match joined(&ranges, &parts, &shape) {
        Some(whole) => whole.map_err(Error::wrap),
        None => Err(wrong(&shape)),
    }
}

fn read(checkpoint: &Checkpoint, entry: &BundleEntry) -> Result<Tensor> {
    let ty = Type::of(entry.dtype);
    let shape = entry.shape.known().map_err(|error| checkpoint.damaged(error))?;
    let count: usize = shape.iter().product();
    ty.held().map_err(Error::wrap)?;
    let size = ty.size().and_then(|size| size.checked_mul(count));
    if size != usize::try_from(entry.size).ok() {
        return Err(checkpoint.damaged(format!("{} bytes for {shape:?} values of type {ty}", entry.size)));
    }
    let mut gather = None;
    checkpoint.parts(entry, |part| {
        let gather = gather.get_or_insert(Gather::new(ty, count).map_err(Error::wrap)?);
        gather.bytes(part).map_err(Error::wrap)
    })?;
    let gather = match gather {
        Some(gather) => gather,
        None => Gather::new(ty, 0).map_err(Error::wrap)?,
    };
    gather.tensor(&shape).map_err(Error::wrap)
}

/// Of every part, its range along every axis.
type Ranges = Vec<Vec<Range<usize>>>;

/// Where the parts lie. `None` unless they are beside each other and leave nothing out.
fn ranges(slices: &[Slice], shape: &[usize]) -> Option<Ranges> {
    if slices.len() > SLICES {
        return None;
    }
    let ranges = |slice: &Slice| -> Option<Vec<Range<usize>>> {
        let range = |((first, len), size): (&(i64, i64), &usize)| {
            let first = usize::try_from(*first).ok()?;
            let len = if *len < 0 { size.checked_sub(first)? } else { usize::try_from(*len).ok()? };
            let end = first.checked_add(len)?;
            (end <= *size).then_some(first..end)
        };
        (slice.len() == shape.len()).then(|| slice.iter().zip(shape).map(range).collect())?
    };
    let ranges: Ranges = slices.iter().map(ranges).collect::<Option<_>>()?;
    let apart =
        |a: &[Range<usize>], b: &[Range<usize>]| a.iter().zip(b).any(|(a, b)| a.end <= b.start || b.end <= a.start);
    let overlap = ranges.iter().enumerate().any(|(at, a)| ranges[..at].iter().any(|b| !apart(a, b)));
    // As many elements as there are, none of them twice: all of them.
    let count: usize = ranges.iter().map(|part| part.iter().map(ExactSizeIterator::len).product::<usize>()).sum();
    (!overlap && count == shape.iter().product::<usize>()).then_some(ranges)
}

/// The whole of its parts. `None` if they are not of the sizes that they should be.
fn joined(ranges: &[Vec<Range<usize>>], parts: &[Tensor], shape: &[usize]) -> Option<candle_core::Result<Tensor>> {
    let fits = |(ranges, part): (&Vec<Range<usize>>, &Tensor)| {
        ranges.iter().map(ExactSizeIterator::len).eq(part.dims().iter().copied())
    };
    let first = parts.first().filter(|_| ranges.iter().zip(parts).all(fits))?;
    let whole = Tensor::zeros(shape, first.dtype(), first.device());
    let mut parts = ranges.iter().zip(parts);
    Some(whole.and_then(|whole| parts.try_fold(whole, |whole, (ranges, part)| whole.slice_assign(ranges, part))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_must_make_up_the_whole() {
        let part = |rows: usize, columns: usize, value: f32| {
            Tensor::full(value, (rows, columns), &candle_core::Device::Cpu).unwrap()
        };
        let (left, right) = (vec![(2, 1), (0, 1)], vec![(2, 1), (1, 1)]);
        let parts = [(right, part(1, 1, 3.)), (vec![(0, 2), (0, -1)], part(2, 2, 1.)), (left, part(1, 1, 2.))];
        let join = |parts: &[(Slice, Tensor)], shape: &[usize]| {
            let (slices, parts): (Vec<_>, Vec<_>) = parts.iter().cloned().unzip();
            joined(&ranges(&slices, shape)?, &parts, shape).map(|whole| whole.unwrap())
        };
        let whole = join(&parts, &[3, 2]).unwrap();
        assert_eq!(whole.to_vec2::<f32>().unwrap(), [[1., 1.], [1., 1.], [2., 3.]]);
        for (parts, shape) in [
            (&parts[1..], [3, 2]),
            (&parts[..], [4, 2]),
            (&[parts[1].clone(), parts[1].clone()], [4, 2]),
            (&[(vec![(0, 2), (0, -1)], part(3, 2, 1.))], [2, 2]),
            (&[(vec![(i64::MAX, i64::MAX), (0, -1)], part(2, 2, 1.))], [2, 2]),
            (&[], [0, 2]),
        ] {
            assert!(join(parts, &shape).is_none(), "{parts:?}");
        }
    }
}
