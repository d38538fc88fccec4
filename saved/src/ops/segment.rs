//! Rows that are put together by the number of the segment that each belongs to.

use candle_core::Tensor;

use super::integer::Ints;
use super::{Build, Compute, int, room, several, size};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("SegmentSum", |attrs| segment(attrs, Fold::Sum, 0.)),
    ("SegmentMean", |attrs| segment(attrs, Fold::Mean, 0.)),
    ("SegmentProd", |attrs| segment(attrs, Fold::Product, 1.)),
    ("SegmentMax", |attrs| segment(attrs, Fold::Max, 0.)),
    ("SegmentMin", |attrs| segment(attrs, Fold::Min, 0.)),
    ("UnsortedSegmentSum", |attrs| segment(attrs, Fold::Sum, 0.)),
    ("UnsortedSegmentProd", |attrs| segment(attrs, Fold::Product, 1.)),
    ("UnsortedSegmentMax", |attrs| segment(attrs, Fold::Max, f64::MIN)),
    ("UnsortedSegmentMin", |attrs| segment(attrs, Fold::Min, f64::MAX)),
];

#[derive(Clone, Copy)]
enum Fold {
    Sum,
    Mean,
    Product,
    Max,
    Min,
}

impl Fold {
    fn two(self, ints: Ints, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        let int = |f: fn(i64, i64) -> i64| ints.zip(a, b, |a, b| Some(f(a, b)));
        match (self, ints.are(a)) {
            (Fold::Sum | Fold::Mean, true) => int(i64::wrapping_add),
            (Fold::Product, true) => int(i64::wrapping_mul),
            (Fold::Max, true) => int(Ord::max),
            (Fold::Min, true) => int(Ord::min),
            (Fold::Sum | Fold::Mean, false) => a + b,
            (Fold::Product, false) => a * b,
            (Fold::Max, false) => a.maximum(b),
            (Fold::Min, false) => a.minimum(b),
        }
    }
}

/// One row for every segment; `empty` is what a segment without rows has. How many there are is a third input, or what
/// the numbers tell.
fn segment(attrs: &Attrs<'_>, fold: Fold, empty: f64) -> Result<Compute> {
    let ints = Ints::read(attrs)?;
    several(move |inputs| {
        let (x, numbers, count) = match inputs {
            [x, numbers] => (x, numbers, None),
            [x, numbers, count] => (x, numbers, Some(size(int(count)?)?)),
            _ => return Err(Error::Msg("it takes rows and the number of the segment of each".to_owned())),
        };
        if !x.dims().starts_with(numbers.dims()) {
            return Err(Error::Msg(format!("{:?} numbers are not of the rows of {:?}", numbers.dims(), x.dims())));
        }
        let (rows, inner) = (numbers.elem_count(), &x.dims()[numbers.rank()..]);
        let of_row = super::integer::all(numbers)?;
        let count = match count {
            Some(count) => count,
            None => of_row.iter().max().map_or(Ok(0), |last| size(last.saturating_add(1)))?,
        };
        room(&[count, inner.iter().product::<usize>().max(1)])?;
        // What is known of every segment, beside its sum.
        room(&[count, 8])?;
        let x = x.contiguous()?.reshape([&[rows], inner].concat())?;
        let mut sums: Vec<Option<(Tensor, usize)>> = vec![None; count];
        for (row, number) in of_row.into_iter().enumerate() {
            // Rows of no segment are left out.
            if number < 0 {
                continue;
            }
            let sum = sums.get_mut(size(number)?);
            let sum = sum.ok_or_else(|| Error::Msg(format!("there is no segment {number} of {count}")))?;
            let row = x.get(row)?;
            *sum = Some(match sum.take() {
                None => (row, 1),
                Some((sum, count)) => (fold.two(ints, &sum, &row)?, count + 1),
            });
        }
        let least = || match ints.are(&x) {
            true => {
                Tensor::full((empty as i64).clamp(ints.ends().0, ints.ends().1), inner, x.device())?.to_dtype(x.dtype())
            }
            false => Tensor::full(empty.clamp(f64::from(f32::MIN), f64::from(f32::MAX)), inner, x.device())?
                .to_dtype(x.dtype()),
        };
        let least = least()?;
        let made = sums.into_iter().map(|sum| match (sum, fold) {
            (None, _) => Ok(least.clone()),
            (Some((sum, count)), Fold::Mean) if ints.are(&sum) => ints.map(&sum, |sum| sum / count as i64),
            (Some((sum, count)), Fold::Mean) => sum / count as f64,
            (Some((sum, _)), _) => Ok(sum),
        });
        let made = made.collect::<Result<Vec<_>>>()?;
        Ok(vec![match made.is_empty() {
            true => Tensor::zeros([&[0], inner].concat(), x.dtype(), x.device())?,
            false => Tensor::stack(&made, 0)?,
        }])
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{f, i, output, outputs, rising, same};

    #[test]
    fn rows_by_segments() {
        let of = |op| output(op, &[], [rising(&[3, 2]), i(&[3], &[0, 2, 2])]);
        same(&of("SegmentSum"), &[3, 2], &[1., 2., 0., 0., 8., 10.]);
        same(&of("SegmentMean"), &[3, 2], &[1., 2., 0., 0., 4., 5.]);
        same(&of("SegmentProd"), &[3, 2], &[1., 2., 1., 1., 15., 24.]);
        same(&of("SegmentMax"), &[3, 2], &[1., 2., 0., 0., 5., 6.]);
        let unsorted = [f(&[3], &[1., 2., 4.]), i(&[3], &[1, -1, 1]), i(&[], &[2])];
        same(&output("UnsortedSegmentSum", &[], &unsorted), &[2], &[0., 5.]);
        same(&output("UnsortedSegmentMax", &[], &unsorted), &[2], &[f64::from(f32::MIN), 4.]);
        let whole = [i(&[2], &[3, 4]), i(&[2], &[0, 0]), i(&[], &[1])];
        let int32 = [("T", super::super::testing::A::Type(3))];
        let lowest = output("UnsortedSegmentMax", &int32, [i(&[0], &[]), i(&[0], &[]), i(&[], &[1])]);
        assert_eq!(lowest.to_vec1::<i64>().unwrap(), [i64::from(i32::MIN)]);
        assert_eq!(output("UnsortedSegmentMin", &[], &whole).to_vec1::<i64>().unwrap(), [3]);
        assert!(outputs("UnsortedSegmentSum", &[], [rising(&[1]), i(&[1], &[2]), i(&[], &[2])]).is_err());
    }
}
