//! For random values, layouts and slices: what a change leaves alone is the same bit for bit.

use candle_core::{Device, Result, Tensor};
use proptest::prelude::*;
use taper::interventions::*;

use super::bits;

/// A value in some order of memory, a dimension of it and places along that.
#[derive(Clone, Debug)]
struct Case {
    x: Tensor,
    dim: usize,
    places: Vec<usize>,
}

fn element() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => -10f32..10.,
        1 => prop_oneof![Just(-0f32), Just(0.), Just(f32::INFINITY), Just(f32::NEG_INFINITY), Just(f32::NAN)],
        // Another NaN, and the smallest number.
        1 => prop_oneof![Just(f32::from_bits(0x7fc0_1234)), Just(f32::from_bits(1))],
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let dims = prop::collection::vec(1usize..5, 1..5);
    (dims, 0usize..4, any::<bool>(), 0usize..4, prop::collection::vec(any::<bool>(), 5)).prop_flat_map(
        |(dims, turned, gap, dim, chosen)| {
            let dim = dim % dims.len();
            let len = dims.iter().product::<usize>() * if gap { 2 } else { 1 };
            let places = (0..dims[dim]).filter(|&place| chosen[place]).collect::<Vec<_>>();
            (prop::collection::vec(element(), len), Just(places).prop_shuffle()).prop_map(move |(values, places)| {
                Case { x: arranged(values, &dims, turned, gap).unwrap(), dim, places }
            })
        },
    )
}

/// Of shape `dims`, with its dimensions turned in memory, and every other element left out if there is a `gap`.
fn arranged(values: Vec<f32>, dims: &[usize], turned: usize, gap: bool) -> Result<Tensor> {
    let rank = dims.len();
    let order: Vec<usize> = (0..rank).map(|i| (i + turned) % rank).collect();
    let mut memory: Vec<usize> = order.iter().map(|&dim| dims[dim]).collect();
    memory.push(if gap { 2 } else { 1 });
    let mut back = vec![0; rank];
    order.iter().enumerate().for_each(|(i, &dim)| back[dim] = i);
    Tensor::from_vec(values, memory, &Device::Cpu)?.narrow(rank, 0, 1)?.squeeze(rank)?.permute(back)
}

impl Case {
    fn others(&self) -> Vec<usize> {
        (0..self.x.dims()[self.dim]).filter(|place| !self.places.contains(place)).collect()
    }

    /// Whether each element, in logical order, lies in the slice.
    fn inside(&self) -> Vec<bool> {
        let inner: usize = self.x.dims()[self.dim + 1..].iter().product();
        let size = self.x.dims()[self.dim];
        (0..self.x.elem_count()).map(|i| self.places.contains(&(i / inner % size))).collect()
    }

    /// What does not depend on the edit: shape, dtype, contiguity, and the elements outside the slice.
    fn assert_kept(&self, y: &Tensor) {
        let x = &self.x;
        assert_eq!((y.dims(), y.dtype(), y.is_contiguous()), (x.dims(), x.dtype(), x.is_contiguous()));
        for ((x, y), inside) in bits(x).into_iter().zip(bits(y)).zip(self.inside()) {
            assert!(inside || x == y, "{x:x} became {y:x}");
        }
    }
}

/// Negated bit for bit, NaN too: what candle's own `neg` does to elements one by one.
fn negated(x: &Tensor) -> Vec<u32> {
    bits(x).into_iter().map(|bits| bits ^ 1 << 31).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn a_slice_changes_its_elements_and_no_others(case in case()) {
        let Case { x, dim, places } = &case;
        let y = at(*dim, places.clone(), |x: &Tensor| x.neg()).on(x);
        case.assert_kept(&y);
        for ((got, expected), inside) in bits(&y).into_iter().zip(negated(x)).zip(case.inside()) {
            prop_assert!(!inside || got == expected);
        }
        let y = at(*dim, places.clone(), zero()).on(x);
        case.assert_kept(&y);
        prop_assert!(bits(&y).into_iter().zip(case.inside()).all(|(bits, inside)| !inside || bits == 0));
    }

    #[test]
    fn a_slice_and_the_rest_are_the_whole(case in case()) {
        let Case { x, dim, places } = &case;
        let part = at(*dim, places.clone(), |x: &Tensor| x.neg()).on(x);
        let whole = at(*dim, case.others(), |x: &Tensor| x.neg()).on(&part);
        prop_assert_eq!(bits(&whole), negated(x));

        let donor = x.neg().unwrap();
        let part = patch(*dim, places.clone())(x, &donor).unwrap();
        case.assert_kept(&part);
        let whole = patch(*dim, case.others())(&part, &donor).unwrap();
        prop_assert_eq!(bits(&whole), bits(&donor));
    }

    #[test]
    fn ranges_are_lists(case in case(), start in 0usize..5, end in 0usize..5) {
        let Case { x, dim, .. } = &case;
        let size = x.dims()[*dim];
        let (start, end) = (start.min(end).min(size), start.max(end).min(size));
        let by_range = at(*dim, start..end, scale(3.)).on(x);
        let by_list = at(*dim, (start..end).collect::<Vec<_>>(), scale(3.)).on(x);
        let backwards = at(*dim, (start..end).rev().collect::<Vec<_>>(), scale(3.)).on(x);
        prop_assert_eq!(bits(&by_range), bits(&by_list));
        prop_assert_eq!(bits(&by_range), bits(&backwards));
    }

    #[test]
    fn nothing_asked_is_nothing_done(case in case()) {
        let Case { x, dim, places } = &case;
        let infinite = x.affine(0., f64::INFINITY).unwrap();
        let none = Vec::<usize>::new();
        let same: Vec<Tensor> = vec![
            at(*dim, none.clone(), zero()).on(x),
            at(*dim, 0..0, zero()).on(x),
            at(*dim, x.dims()[*dim].., zero()).on(x),
            at(*dim, places.clone(), at(0, none.clone(), zero())).on(x),
            at(*dim, places.clone(), add(0., &Tensor::new(f32::INFINITY, &Device::Cpu).unwrap())).on(x),
            patch(*dim, none)(x, &infinite).unwrap(),
            add(0., &infinite).on(x),
            scale(1.).on(x),
            noise(0., 1).on(x),
            interpolate(0.)(x, &infinite).unwrap(),
            at_with(*dim, places.clone(), interpolate(0.))(x, &infinite).unwrap(),
            resample(*dim, ..).on(x),
        ];
        for (i, y) in same.iter().enumerate() {
            prop_assert_eq!(y.id(), x.id(), "case {}", i);
        }
    }

    #[test]
    fn rows_move_whole(case in case(), seed: u64) {
        let Case { x, dim, .. } = &case;
        let moved = shuffle(*dim, seed).on(x);
        prop_assert_eq!(moved.is_contiguous(), x.is_contiguous());
        let rows = |x: &Tensor| {
            let mut rows: Vec<_> = (0..x.dims()[*dim]).map(|i| bits(&x.narrow(*dim, i, 1).unwrap())).collect();
            rows.sort();
            rows
        };
        prop_assert_eq!(rows(&moved), rows(x));
    }
}

/// Calls what cannot fail here.
trait On {
    fn on(&self, x: &Tensor) -> Tensor;
}

impl<F: Fn(&Tensor) -> Result<Tensor>> On for F {
    fn on(&self, x: &Tensor) -> Tensor {
        self(x).unwrap()
    }
}
