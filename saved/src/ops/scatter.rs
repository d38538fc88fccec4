//! Parts that are put at places.

use candle_core::Tensor;

use super::{Build, ints, room, size, three};
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("ScatterNd", |_| {
        three(|places, parts, sizes| {
            let sizes = ints(sizes)?.into_iter().map(size).collect::<Result<Vec<_>>>()?;
            room(&sizes)?;
            let x = Tensor::zeros(sizes, parts.dtype(), parts.device())?;
            put(&x, places, parts, true)
        })
    }),
    ("TensorScatterUpdate", |_| three(|x, places, parts| put(x, places, parts, false))),
    ("TensorScatterAdd", |_| three(|x, places, parts| put(x, places, parts, true))),
    ("TensorScatterSub", |_| three(|x, places, parts| put(x, places, &parts.neg()?, true))),
    ("SparseToDense", |_| {
        super::many(|inputs| {
            let [places, sizes, parts, around] = super::take(inputs)?;
            let sizes = ints(sizes)?.into_iter().map(size).collect::<Result<Vec<_>>>()?;
            room(&sizes)?;
            // A single place, or places along the only axis.
            let places = match (places.rank(), sizes.len()) {
                (0, 1) => places.reshape((1, 1))?,
                (1, 1) => places.unsqueeze(1)?,
                (1, _) => places.unsqueeze(0)?,
                _ => places.clone(),
            };
            let parts = parts.broadcast_as(places.dims()[0])?.contiguous()?;
            put(&around.broadcast_as(sizes)?.contiguous()?, &places, &parts, false)
        })
    }),
];

/// Adds parts at places, or puts them in place of what is there; then of equal places the last counts.
fn put(x: &Tensor, places: &Tensor, parts: &Tensor, add: bool) -> Result<Tensor> {
    let Some((&depth, count)) = places.dims().split_last() else {
        return Err(Error::Msg("a place has at least one axis".to_owned()));
    };
    if depth > x.rank() || depth == 0 {
        return Err(Error::Msg(format!("{depth} numbers are no place in {:?}", x.dims())));
    }
    let (outer, inner) = x.dims().split_at(depth);
    if parts.dims() != [count, inner].concat() {
        return Err(Error::Msg(format!(
            "parts of {:?} do not fit {:?} at {:?}",
            parts.dims(),
            x.dims(),
            places.dims()
        )));
    }
    let len: usize = inner.iter().product();
    let mut rows: Vec<Option<usize>> = vec![None; outer.iter().product()];
    let mut sums: Vec<Vec<i64>> = vec![Vec::new(); if add { rows.len() } else { 0 }];
    for (part, place) in places.flatten_all()?.to_vec1::<i64>()?.chunks(depth).enumerate() {
        let at = place.iter().zip(outer).try_fold(0, |at, (place, len)| {
            let place = usize::try_from(*place).ok().filter(|place| place < len)?;
            Some(at * len + place)
        });
        let at = at.ok_or_else(|| Error::Msg(format!("the place {place:?} lies outside of {:?}", x.dims())))?;
        rows[at] = Some(part);
        if add {
            sums[at].push(part as i64);
        }
    }
    let parts = parts.contiguous()?.reshape((count.iter().product::<usize>(), len))?;
    let flat = x.contiguous()?.reshape((rows.len(), len))?;
    if add {
        let (at, from): (Vec<i64>, Vec<i64>) =
            sums.into_iter().zip(0..).flat_map(|(parts, at)| parts.into_iter().map(move |part| (at, part))).unzip();
        if at.is_empty() {
            return Ok(x.clone());
        }
        let chosen = parts.index_select(&Tensor::new(from, x.device())?, 0)?;
        return flat.index_add(&Tensor::new(at, x.device())?, &chosen, 0)?.reshape(x.shape());
    }
    // Rows of both, one behind the other, and of each place the one that counts.
    let all = Tensor::cat(&[&flat, &parts], 0)?;
    let chosen: Vec<i64> =
        rows.iter().enumerate().map(|(at, part)| part.map_or(at, |part| rows.len() + part) as i64).collect();
    all.index_select(&Tensor::new(chosen, x.device())?, 0)?.reshape(x.shape())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{f, i, output, outputs, rising, same};

    #[test]
    fn parts_are_put_and_added() {
        let (places, parts) = (i(&[3, 1], &[2, 0, 2]), f(&[3], &[10., 20., 30.]));
        same(&output("ScatterNd", &[], &[places.clone(), parts.clone(), i(&[1], &[3])]), &[3], &[20., 0., 40.]);
        let x = rising(&[3]);
        let put = |op| output(op, &[], &[x.clone(), places.clone(), parts.clone()]);
        same(&put("TensorScatterUpdate"), &[3], &[20., 2., 30.]);
        same(&put("TensorScatterAdd"), &[3], &[21., 2., 43.]);
        let dense = [i(&[2, 2], &[0, 1, 1, 0]), i(&[2], &[2, 2]), f(&[2], &[5., 6.]), f(&[], &[-1.])];
        same(&output("SparseToDense", &[], &dense), &[2, 2], &[-1., 5., 6., -1.]);
        same(&put("TensorScatterSub"), &[3], &[-19., 2., -37.]);
        let rows = output("TensorScatterUpdate", &[], &[rising(&[2, 2]), i(&[1, 1], &[1]), f(&[1, 2], &[8., 9.])]);
        same(&rows, &[2, 2], &[1., 2., 8., 9.]);
        assert!(outputs("ScatterNd", &[], &[places, parts, i(&[1], &[2])]).is_err());
    }
}
