//! Rows that are dealt out to several values, and put together again: how lookups in tables that are cut in parts are
//! written.

use candle_core::Tensor;

use super::{Build, Compute, room, several, size};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("DynamicPartition", partition),
    ("DynamicStitch", |_| several(stitch)),
    ("ParallelDynamicStitch", |_| several(stitch)),
];

/// The rows with each number.
fn partition(attrs: &Attrs<'_>) -> Result<Compute> {
    let count = size(attrs.int("num_partitions")?.unwrap_or(0))?;
    several(move |inputs| {
        let [x, numbers] = super::take(inputs)?;
        if !x.dims().starts_with(numbers.dims()) {
            return Err(Error::Msg(format!("{:?} numbers are not of the rows of {:?}", numbers.dims(), x.dims())));
        }
        let (rows, inner) = (numbers.elem_count(), &x.dims()[numbers.rank()..]);
        let mut places = vec![Vec::new(); count];
        for (row, number) in numbers.flatten_all()?.to_vec1::<i64>()?.into_iter().enumerate() {
            let part = usize::try_from(number).ok().and_then(|number| places.get_mut(number));
            part.ok_or_else(|| Error::Msg(format!("there is no part {number} of {count}")))?.push(row as i64);
        }
        let x = x.contiguous()?.reshape([&[rows], inner].concat())?;
        let part = |places: Vec<i64>| match places.is_empty() {
            true => Tensor::zeros([&[0], inner].concat(), x.dtype(), x.device()),
            false => x.index_select(&Tensor::new(places, x.device())?, 0),
        };
        places.into_iter().map(part).collect()
    })
}

/// The rows of several values at the places that are given for each; of equal places the last counts.
fn stitch(inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let (places, parts) = inputs.split_at(inputs.len() / 2);
    let (Some(first), true) = (parts.first(), places.len() == parts.len()) else {
        return Err(Error::Msg("it takes places and as many values".to_owned()));
    };
    let inner = first.dims().get(places[0].rank()..).unwrap_or_default();
    let mut flat = Vec::new();
    let mut from: Vec<Option<usize>> = Vec::new();
    let mut row = 0;
    for (places, part) in places.iter().zip(parts) {
        if part.dims() != [places.dims(), inner].concat() {
            let (places, part) = (places.dims(), part.dims());
            return Err(Error::Msg(format!("places of {places:?} are not of the rows of {part:?}, of {inner:?} each")));
        }
        for place in places.flatten_all()?.to_vec1::<i64>()? {
            let len = size(place)?.saturating_add(1);
            room(&[len])?;
            from.resize(from.len().max(len), None);
            from[len - 1] = Some(row);
            row += 1;
        }
        flat.push(part.contiguous()?.reshape([&[places.elem_count()], inner].concat())?);
    }
    // What nothing is put at is zero.
    flat.push(Tensor::zeros([&[1], inner].concat(), first.dtype(), first.device())?);
    room(&[from.len(), inner.iter().product()])?;
    let from: Vec<i64> = from.into_iter().map(|from| from.unwrap_or(row) as i64).collect();
    let count = from.len();
    Ok(vec![Tensor::cat(&flat, 0)?.index_select(&Tensor::from_vec(from, count, first.device())?, 0)?])
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, i, output, outputs, rising, same};

    #[test]
    fn rows_are_dealt_out_and_put_together() {
        let two = [("num_partitions", A::Int(2))];
        let parts = outputs("DynamicPartition", &two, [rising(&[3, 2]), i(&[3], &[1, 0, 1])]).unwrap();
        same(&parts[0], &[1, 2], &[3., 4.]);
        same(&parts[1], &[2, 2], &[1., 2., 5., 6.]);
        let back = [i(&[1], &[1]), i(&[2], &[0, 2]), parts[0].clone(), parts[1].clone()];
        same(&output("DynamicStitch", &[], &back), &[3, 2], &[1., 2., 3., 4., 5., 6.]);
        let twice = [i(&[2], &[0, 2]), i(&[], &[0]), rising(&[2]), rising(&[])];
        same(&output("ParallelDynamicStitch", &[], &twice), &[3], &[1., 0., 2.]);
        let empty = outputs("DynamicPartition", &two, [rising(&[1]), i(&[1], &[1])]).unwrap();
        assert_eq!(empty[0].dims(), [0]);
        assert!(outputs("DynamicPartition", &two, [rising(&[1]), i(&[1], &[2])]).is_err());
        assert!(outputs("DynamicStitch", &[], [i(&[1], &[-1]), rising(&[1])]).is_err());
        assert!(outputs("DynamicStitch", &[], [i(&[1], &[1 << 40]), rising(&[1])]).is_err());
    }
}
