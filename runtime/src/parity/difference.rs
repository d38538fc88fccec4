//! How far two tensors are apart.

use candle_core::{DType, Device, Tensor};

use crate::Result;

/// How far a value `a` is from its reference `b`, in 64-bit arithmetic.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The largest `|a − b|`; NaN if any number of either is NaN.
    pub absolute: f64,
    /// The largest `|a − b| / (1 + |b|)`, or for gradients `|a − b|` divided by the largest `|b|`; NaN as above.
    pub relative: f64,
    /// Where that is.
    pub at: Vec<usize>,
    /// The value there.
    pub value: f64,
    /// The reference there.
    pub reference: f64,
}

/// What a difference is measured by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    /// `1 + |b|`: absolute for small values, relative for large ones.
    Each,
    /// The largest `|b|`: gradients have no natural size.
    Largest,
}

impl Difference {
    /// Of tensors of one shape.
    pub(super) fn of(value: &Tensor, reference: &Tensor, measure: Measure) -> Result<Self> {
        let (a, b) = (numbers(value)?, numbers(reference)?);
        let largest = b.iter().fold(0f64, |largest, b| largest.max(b.abs()));
        // Equal infinities are equal: masked scores are.
        let absolute = |a: f64, b: f64| if a == b { 0. } else { (a - b).abs() };
        let relative = |a: f64, b: f64| match (absolute(a, b), measure) {
            (0., _) => 0.,
            (distance, _) if distance.is_infinite() => distance,
            (distance, Measure::Each) => distance / (1. + b.abs()),
            (distance, Measure::Largest) => distance / largest,
        };
        let mut worst = Difference { absolute: 0., relative: 0., at: Vec::new(), value: 0., reference: 0. };
        let mut place = 0;
        for (i, (&a, &b)) in a.iter().zip(&b).enumerate() {
            worst.absolute = worse(worst.absolute, absolute(a, b));
            let relative = relative(a, b);
            let is_worse = !worst.relative.is_nan() && (relative.is_nan() || relative > worst.relative);
            if i == 0 || is_worse {
                (place, worst.relative, worst.value, worst.reference) = (i, relative, a, b);
            }
        }
        worst.at = position(place, value.dims());
        Ok(worst)
    }

    /// Whether it is within a tolerance: NaN is not.
    pub(super) fn is_within(&self, tolerance: f64) -> bool {
        self.relative <= tolerance
    }
}

/// The larger one; once NaN, always NaN.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) }
}

fn numbers(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

/// The index along each dimension of a place in the order of memory.
fn position(mut place: usize, dims: &[usize]) -> Vec<usize> {
    let mut at: Vec<usize> = Vec::new();
    for &dim in dims.iter().rev() {
        at.push(place % dim.max(1));
        place /= dim.max(1);
    }
    at.reverse();
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(a: &[f64], b: &[f64], measure: Measure) -> Difference {
        let tensor = |values: &[f64]| Tensor::new(values, &Device::Cpu).unwrap();
        Difference::of(&tensor(a), &tensor(b), measure).unwrap()
    }

    #[test]
    fn relative_above_one_and_absolute_below() {
        let d = difference(&[0.5, 7.], &[0., 3.], Measure::Each);
        assert_eq!((d.absolute, d.relative, d.at, d.value, d.reference), (4., 1., vec![1], 7., 3.));
        assert_eq!(difference(&[0.5], &[0.], Measure::Each).relative, 0.5);
        assert_eq!(difference(&[1., 2.], &[1., 2.], Measure::Each).relative, 0.);
    }

    #[test]
    fn of_the_largest() {
        let d = difference(&[0., 4.], &[0.5, -4.], Measure::Largest);
        assert_eq!((d.absolute, d.relative), (8., 2.));
        // Nothing is near a reference of zeros but zeros.
        assert_eq!(difference(&[0., 0.], &[0., 0.], Measure::Largest).relative, 0.);
        assert_eq!(difference(&[1e-9], &[0.], Measure::Largest).relative, f64::INFINITY);
    }

    #[test]
    fn what_is_not_finite() {
        const INF: f64 = f64::INFINITY;
        for measure in [Measure::Each, Measure::Largest] {
            assert_eq!(difference(&[-INF, INF], &[-INF, INF], measure).absolute, 0.);
            for (a, b) in [(INF, 0.), (0., INF), (INF, -INF)] {
                let d = difference(&[1., a, 1.], &[1., b, 1.], measure);
                assert_eq!((d.absolute, d.relative, d.at), (INF, INF, vec![1]), "{a} {b}");
            }
            for (a, b) in [(f64::NAN, 0.), (0., f64::NAN), (f64::NAN, f64::NAN)] {
                // A larger difference after it, and before it, does not hide it.
                for d in [difference(&[a, 1.], &[b, 9.], measure), difference(&[1., a], &[9., b], measure)] {
                    assert!(d.absolute.is_nan() && d.relative.is_nan() && !d.is_within(INF), "{a} {b}");
                    assert!(d.value.is_nan() || d.reference.is_nan(), "{d:?}");
                }
            }
        }
    }

    #[test]
    fn places_are_by_dimension() {
        assert_eq!(position(0, &[]), [0; 0]);
        assert_eq!(position(23, &[2, 3, 4]), [1, 2, 3]);
        let empty = Tensor::zeros((2, 0), DType::F32, &Device::Cpu).unwrap();
        assert_eq!(Difference::of(&empty, &empty, Measure::Each).unwrap().relative, 0.);
    }

    #[test]
    fn numbers_of_any_dtype() {
        let a = Tensor::new(&[1u32, 2], &Device::Cpu).unwrap();
        let b = Tensor::new(&[1i64, 5], &Device::Cpu).unwrap();
        assert_eq!(Difference::of(&a, &b, Measure::Each).unwrap().absolute, 3.);
    }
}
