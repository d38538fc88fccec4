//! The largest elements, and bands of matrices.

use candle_core::{DType, Tensor};

use super::{Build, Compute, int, several, size, three, two};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("TopKV2", |_| several(top_k)),
    ("MatrixBandPart", |_| three(band)),
    ("Atan2", |_| two(atan2)),
    ("InTopKV2", in_top_k),
];

/// The largest along the last axis, the largest first, and their places. Of equal ones the first comes first.
fn top_k(inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let [x, k] = super::take(inputs)?;
    let k = size(int(k)?)?;
    let Some((&len, outer)) = x.dims().split_last() else { return Err(Error::Msg("a number has no axis".to_owned())) };
    if k > len {
        return Err(Error::Msg(format!("there are {len} elements, and {k} are wanted")));
    }
    let values = x.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    let mut places = Vec::new();
    for row in values.chunks(len.max(1)) {
        let mut order: Vec<usize> = (0..row.len()).collect();
        order.sort_by(|a, b| row[*b].total_cmp(&row[*a]));
        places.extend(order.into_iter().take(k).map(|place| place as i64));
    }
    let places = Tensor::from_vec(places, [outer, &[k]].concat(), x.device())?;
    Ok(vec![x.contiguous()?.gather(&places, x.rank() - 1)?, places])
}

/// Whether the element at a place is among the largest of its row.
fn in_top_k(_: &Attrs<'_>) -> Result<Compute> {
    three(|x, targets, k| {
        let [values, _] = &top_k(&[x.clone(), k.clone()])?[..] else { unreachable!("values and places") };
        let least = values.narrow(1, values.dim(1)?.saturating_sub(1), 1)?;
        x.contiguous()?.gather(&targets.unsqueeze(1)?, 1)?.ge(&least)?.squeeze(1)
    })
}

/// What lies at most so many places below and above the diagonal; all of it, if the number is negative.
fn band(x: &Tensor, below: &Tensor, above: &Tensor) -> Result<Tensor> {
    let (below, above) = (int(below)?, int(above)?);
    let [.., rows, columns] = *x.dims() else { return Err(Error::Msg(format!("{:?} is no matrix", x.dims()))) };
    let inside = |row: usize, column: usize| {
        let offset = column as i64 - row as i64;
        (below < 0 || -offset <= below) && (above < 0 || offset <= above)
    };
    let mask = (0..rows).flat_map(|row| (0..columns).map(move |column| u8::from(inside(row, column))));
    let mask = Tensor::from_vec(mask.collect::<Vec<u8>>(), (rows, columns), x.device())?;
    mask.broadcast_as(x.shape())?.where_cond(x, &x.zeros_like()?)
}

/// By element, where quadrants count. It has no gradient.
fn atan2(y: &Tensor, x: &Tensor) -> Result<Tensor> {
    let sizes = super::broadcast(y.dims(), x.dims())?;
    if y.track_op() || x.track_op() {
        return Err(Error::Msg("it has no gradient here: detach what goes in".to_owned()));
    }
    let all = |x: &Tensor| x.broadcast_as(sizes.as_slice())?.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    let values: Vec<f64> = all(y)?.into_iter().zip(all(x)?).map(|(y, x)| y.atan2(x)).collect();
    Tensor::from_vec(values, sizes, y.device())?.to_dtype(y.dtype())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{f, i, output, outputs, rising, same};

    #[test]
    fn the_largest_come_first() {
        let x = f(&[2, 3], &[1., 3., 3., 9., 7., 8.]);
        let given = outputs("TopKV2", &[], &[x.clone(), i(&[], &[2])]).unwrap();
        same(&given[0], &[2, 2], &[3., 3., 9., 8.]);
        same(&given[1], &[2, 2], &[1., 2., 0., 2.]);
        assert!(outputs("TopKV2", &[], &[x.clone(), i(&[], &[4])]).is_err());
        same(&output("InTopKV2", &[], &[x, i(&[2], &[0, 2]), i(&[], &[2])]), &[2], &[0., 1.]);
    }

    #[test]
    fn bands_and_angles() {
        let band = |below, above| output("MatrixBandPart", &[], &[rising(&[2, 3]), i(&[], &[below]), i(&[], &[above])]);
        same(&band(0, 0), &[2, 3], &[1., 0., 0., 0., 5., 0.]);
        same(&band(-1, 0), &[2, 3], &[1., 0., 0., 4., 5., 0.]);
        same(&band(0, 1), &[2, 3], &[1., 2., 0., 0., 5., 6.]);
        let angles = output("Atan2", &[], &[f(&[2], &[1., -1.]), f(&[2], &[-1., -1.])]);
        same(&angles, &[2], &[2.356_194_5, -2.356_194_5]);
    }
}
