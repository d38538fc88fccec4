//! Diagonals of matrices: matrices made of them, taken out, and put in.

use candle_core::Tensor;

use super::{Build, Compute, ints, room, size};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("MatrixDiag", |attrs| make(attrs, LEFT)),
    ("MatrixDiagV2", |attrs| make(attrs, LEFT)),
    ("MatrixDiagV3", |attrs| v3(attrs, make)),
    ("MatrixDiagPart", |attrs| take(attrs, LEFT)),
    ("MatrixDiagPartV2", |attrs| take(attrs, LEFT)),
    ("MatrixDiagPartV3", |attrs| v3(attrs, take)),
    ("MatrixSetDiag", |attrs| put(attrs, LEFT)),
    ("MatrixSetDiagV2", |attrs| put(attrs, LEFT)),
    ("MatrixSetDiagV3", |attrs| v3(attrs, put)),
    ("Diag", |_| {
        super::one(|x| {
            let count = x.elem_count();
            room(&[count, count])?;
            let places = (0..count * count).map(|at| (at / count == at % count).then_some(at % count));
            chosen(&x.flatten_all()?, 1, places, None)?.reshape([x.dims(), x.dims()].concat())
        })
    }),
    ("DiagPart", |_| {
        super::one(|x| {
            let (sizes, same) = x.dims().split_at(x.rank() / 2);
            if sizes != same {
                return Err(Error::Msg(format!("{:?} has no diagonal", x.dims())));
            }
            let count: usize = sizes.iter().product();
            let places = (0..count).map(|at| Some(at * (count + 1)));
            chosen(&x.flatten_all()?, 1, places, None)?.reshape(sizes)
        })
    }),
];

/// Whether diagonals that are shorter than the longest stand at the left, above the main one and below it.
#[derive(Clone, Copy)]
struct Align {
    above: bool,
    below: bool,
}

/// Old operations have no choice.
const LEFT: Align = Align { above: true, below: true };

fn v3(attrs: &Attrs<'_>, build: fn(&Attrs<'_>, Align) -> Result<Compute>) -> Result<Compute> {
    let (above, below) = match attrs.str("align")? {
        None | Some("RIGHT_LEFT") => (false, true),
        Some("LEFT_RIGHT") => (true, false),
        Some("LEFT_LEFT") => (true, true),
        Some("RIGHT_RIGHT") => (false, false),
        Some(other) => return Err(Error::Msg(format!("`align` is `{other}`"))),
    };
    build(attrs, Align { above, below })
}

/// Diagonals of a matrix: from which to which, counted from the main one upwards.
struct Band {
    low: i64,
    high: i64,
    rows: i64,
    columns: i64,
    align: Align,
}

impl Band {
    fn len(&self, diagonal: i64) -> i64 {
        (self.rows + diagonal.min(0)).min(self.columns - diagonal.max(0))
    }

    /// The length of the longest.
    fn longest(&self) -> i64 {
        (self.rows + self.high.min(0)).min(self.columns - self.low.max(0))
    }

    fn check(self) -> Result<Self> {
        let inside = -self.rows < self.low && self.high < self.columns && self.low <= self.high;
        // A matrix without elements has one diagonal all the same.
        if !(inside || self.low == 0 && self.high == 0) {
            let Band { low, high, rows, columns, .. } = self;
            return Err(Error::Msg(format!("there are no diagonals {low} to {high} in {rows} by {columns}")));
        }
        Ok(self)
    }

    /// Where the elements of a diagonal begin among those of the longest.
    fn offset(&self, diagonal: i64) -> i64 {
        let left = diagonal >= 0 && self.align.above || diagonal <= 0 && self.align.below;
        if left { 0 } else { self.longest() - self.len(diagonal) }
    }

    /// Where an element of the matrix stands among those of the diagonals, the highest first.
    fn of_element(&self, row: i64, column: i64) -> Option<usize> {
        let diagonal = column - row;
        let inside = (self.low..=self.high).contains(&diagonal);
        let at = column - diagonal.max(0) + self.offset(diagonal);
        inside.then(|| ((self.high - diagonal) * self.longest() + at) as usize)
    }
}

/// The diagonals that an input says, or the main one.
fn band(k: Option<&Tensor>) -> Result<(i64, i64)> {
    let Some(k) = k else { return Ok((0, 0)) };
    let k = ints(k)?;
    let far = k.iter().find(|k| k.unsigned_abs() > crate::limits::ELEMENTS as u64);
    if let Some(far) = far {
        return Err(Error::Msg(format!("no matrix has a diagonal {far}")));
    }
    match k.as_slice() {
        [one] => Ok((*one, *one)),
        [low, high] => Ok((*low, *high)),
        other => Err(Error::Msg(format!("{other:?} are no diagonals"))),
    }
}

/// Elements of every one of `count` rows by their places; `None` for `around`, or zero.
fn chosen(
    x: &Tensor,
    count: usize,
    places: impl Iterator<Item = Option<usize>>,
    around: Option<&Tensor>,
) -> Result<Tensor> {
    // Every place is a number of 64 bits beside the elements that are there.
    let len = places.size_hint().0;
    room(&[len, count.saturating_add(3)])?;
    let inner = x.elem_count() / count.max(1);
    let mut numbers = Vec::with_capacity(len);
    numbers.extend(places.map(|place| place.unwrap_or(inner) as i64));
    let x = x.contiguous()?.reshape((count, inner))?;
    let around = match around {
        Some(value) => value.reshape((1, 1))?.broadcast_as((count, 1))?.contiguous()?,
        None => Tensor::zeros((count, 1), x.dtype(), x.device())?,
    };
    let all = Tensor::cat(&[&x, &around], 1)?;
    all.index_select(&Tensor::from_vec(numbers, len, x.device())?, 1)
}

fn matrix(x: &Tensor) -> Result<(&[usize], i64, i64)> {
    match x.dims() {
        [outer @ .., rows, columns] => Ok((outer, *rows as i64, *columns as i64)),
        dims => Err(Error::Msg(format!("{dims:?} is no matrix"))),
    }
}

/// The diagonals of every matrix.
fn take(_: &Attrs<'_>, align: Align) -> Result<Compute> {
    super::many(move |inputs| {
        let x = inputs.first().ok_or_else(|| Error::Msg("it takes a matrix".to_owned()))?;
        let (outer, rows, columns) = matrix(x)?;
        let (low, high) = band(inputs.get(1))?;
        let band = Band { low, high, rows, columns, align }.check()?;
        let longest = band.longest();
        let whole = (high - low + 1) * longest;
        let places = (0..size(whole)?).map(|place| {
            let (diagonal, at) = (high - place as i64 / longest, place as i64 % longest);
            let at = at - band.offset(diagonal);
            let inside = (0..band.len(diagonal)).contains(&at);
            inside.then(|| ((at - diagonal.min(0)) * columns + at + diagonal.max(0)) as usize)
        });
        let count = outer.iter().product();
        let found = chosen(x, count, places, inputs.get(2))?;
        let mut sizes = outer.to_vec();
        if low != high {
            sizes.push(size(high - low + 1)?);
        }
        sizes.push(size(longest)?);
        found.reshape(sizes)
    })
}

/// Matrices with the given diagonals.
fn make(_: &Attrs<'_>, align: Align) -> Result<Compute> {
    super::many(move |inputs| {
        let x = inputs.first().ok_or_else(|| Error::Msg("it takes diagonals".to_owned()))?;
        let (low, high) = band(inputs.get(1))?;
        let wanted = |at: usize| inputs.get(at).map_or(Ok(-1), super::int);
        let (rows, columns) = (wanted(2)?, wanted(3)?);
        let (outer, longest) = match (x.dims(), low == high) {
            ([outer @ .., longest], true) => (outer, *longest as i64),
            ([outer @ .., count, longest], false) if *count as i64 == high - low + 1 => (outer, *longest as i64),
            (dims, _) => return Err(Error::Msg(format!("{dims:?} are no diagonals {low} to {high}"))),
        };
        let (least_rows, least_columns) = (longest - high.min(0), longest + low.max(0));
        let (rows, columns) = match (rows, columns) {
            (-1, -1) => (least_rows.max(least_columns), least_rows.max(least_columns)),
            (-1, columns) => (least_rows, columns),
            (rows, -1) => (rows, least_columns),
            both => both,
        };
        room(&[size(rows)?, size(columns)?])?;
        let band = Band { low, high, rows, columns, align }.check()?;
        if band.longest() != longest {
            return Err(Error::Msg(format!("diagonals of {longest} do not fit {rows} by {columns}")));
        }
        let places = (0..size(rows * columns)?).map(|at| band.of_element(at as i64 / columns, at as i64 % columns));
        let made = chosen(x, outer.iter().product(), places, inputs.get(4))?;
        made.reshape([outer, &[size(rows)?, size(columns)?]].concat())
    })
}

/// Matrices with other diagonals.
fn put(_: &Attrs<'_>, align: Align) -> Result<Compute> {
    super::many(move |inputs| {
        let (x, diagonals) = match inputs {
            [x, diagonals] | [x, diagonals, _] => (x, diagonals),
            _ => return Err(Error::Msg("it takes matrices, diagonals and which they are".to_owned())),
        };
        let (outer, rows, columns) = matrix(x)?;
        let (low, high) = band(inputs.get(2))?;
        let band = Band { low, high, rows, columns, align }.check()?;
        let count: usize = outer.iter().product();
        let of_one = if low == high { band.longest() } else { (high - low + 1) * band.longest() };
        if diagonals.elem_count() as i64 != of_one * count as i64 {
            return Err(Error::Msg(format!("diagonals of {:?} do not fit {:?}", diagonals.dims(), x.dims())));
        }
        // Those of the matrix, and behind them those of the diagonals.
        let whole = (rows * columns) as usize;
        let all = Tensor::cat(
            &[x.contiguous()?.reshape((count, whole))?, diagonals.contiguous()?.reshape((count, of_one as usize))?],
            1,
        )?;
        let places = (0..whole).map(|at| {
            let at = at as i64;
            let found = band.of_element(at / columns, at % columns);
            Some(found.map_or(at as usize, |found| whole + found))
        });
        chosen(&all, count, places, None)?.reshape(x.shape())
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, f, i, output, outputs, rising, same};

    /// By `tf.linalg.diag_part`, `diag` and `set_diag`.
    #[test]
    fn diagonals_are_tensorflows() {
        let x = rising(&[2, 3, 4]);
        let k = |low, high| i(&[2], &[low, high]);
        same(&output("MatrixDiagPart", &[], [x.clone()]), &[2, 3], &[1., 6., 11., 13., 18., 23.]);
        let zero = f(&[], &[0.]);
        let part = |align, low, high| {
            output("MatrixDiagPartV3", &[("align", A::Str(align))], [rising(&[3, 4]), k(low, high), zero.clone()])
        };
        same(&part("RIGHT_LEFT", -1, 2), &[4, 3], &[0., 3., 8., 2., 7., 12., 1., 6., 11., 5., 10., 0.]);
        same(&part("LEFT_RIGHT", -1, 2), &[4, 3], &[3., 8., 0., 2., 7., 12., 1., 6., 11., 0., 5., 10.]);
        same(&part("LEFT_LEFT", 3, 3), &[1], &[4.]);
        let made = output("MatrixDiag", &[], [rising(&[2, 2])]);
        same(&made, &[2, 2, 2], &[1., 0., 0., 2., 3., 0., 0., 4.]);
        let minus = i(&[], &[-1]);
        let nine = f(&[], &[9.]);
        let made = output("MatrixDiagV3", &[], [rising(&[2]), i(&[], &[1]), minus.clone(), minus, nine]);
        same(&made, &[3, 3], &[9., 1., 9., 9., 9., 2., 9., 9., 9.]);
        let diagonals = f(&[2, 2], &[0., 7., 8., 9.]);
        let put = [rising(&[2, 2]), diagonals, k(0, 1)];
        same(&output("MatrixSetDiagV3", &[("align", A::Str("RIGHT_LEFT"))], put), &[2, 2], &[8., 7., 3., 9.]);
        same(&output("MatrixSetDiag", &[], [rising(&[2, 2]), f(&[2], &[8., 9.])]), &[2, 2], &[8., 2., 3., 9.]);
        same(&output("Diag", &[], [rising(&[2])]), &[2, 2], &[1., 0., 0., 2.]);
        same(&output("DiagPart", &[], [rising(&[2, 2])]), &[2], &[1., 4.]);
        for (low, high) in [(-3, 0), (1, 4), (1, 0)] {
            assert!(outputs("MatrixDiagPartV3", &[], [rising(&[3, 4]), k(low, high), zero.clone()]).is_err());
        }
    }
}
