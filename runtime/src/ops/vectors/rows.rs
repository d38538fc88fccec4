use std::mem::MaybeUninit;

use pulp::{Arch, Scalar, Simd, WithSimd};

use super::{PARALLEL, SHARE};
use crate::ops::threads;

/// What is computed of one row of numbers.
pub(in crate::ops) trait OnRow: Sync {
    /// Of the row `index` makes another, in its place. For `FMA` see [`math`](super::math).
    fn row<S: Simd, const FMA: bool>(&self, simd: S, index: usize, row: &mut [f32]);
}

/// What `op` makes of every row of `xs`, each `width` long.
pub(in crate::ops) fn on_rows(op: &impl OnRow, width: usize, xs: &[f32]) -> Vec<f32> {
    let arch = Arch::new();
    let share = if xs.len() < PARALLEL { xs.len() } else { SHARE.div_ceil(width) * width };
    threads::filled(xs.len(), share, |start, to| {
        let from = &xs[start..start + to.len()];
        arch.dispatch(Rows { op, width, first: start / width, from, to })
    })
}

struct Rows<'a, 'r, O> {
    op: &'a O,
    width: usize,
    first: usize,
    from: &'a [f32],
    to: &'r mut [MaybeUninit<f32>],
}

impl<'r, O: OnRow> WithSimd for Rows<'_, 'r, O> {
    type Output = &'r mut [f32];

    // Compiled once for every set of instructions: the compiler makes vectors of the loops in it.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> &'r mut [f32] {
        let Rows { op, width, first, from, to } = self;
        assert!(to.len().is_multiple_of(width), "rows are whole");
        for (at, (from, to)) in from.chunks_exact(width).zip(to.chunks_exact_mut(width)).enumerate() {
            // Copied because room without numbers in it can't be handed on: it is in the nearest cache afterwards.
            let row = to.write_copy_of_slice(from);
            // Where there are vectors there is a multiplication with addition.
            if S::F32_LANES > 1 {
                op.row::<S, true>(simd, first + at, row);
            } else {
                op.row::<S, false>(simd, first + at, row);
            }
        }
        all_written(to)
    }
}

#[allow(unsafe_code)]
#[inline(always)]
fn all_written(to: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    // SAFETY: above, the only place that calls it, has copied to every row, and there is nothing but rows.
    unsafe { to.assume_init_mut() }
}

/// A number of each number of a row, which are put together then: in vectors or one by one, which is the same in [`Scalar`].
pub(in crate::ops) trait Term: Copy {
    /// Of each of `xs`.
    fn of<S: Simd>(self, simd: S, xs: S::f32s) -> S::f32s;
}

/// The number itself.
#[derive(Clone, Copy)]
pub(in crate::ops) struct Itself;

impl Term for Itself {
    #[inline(always)]
    fn of<S: Simd>(self, _: S, xs: S::f32s) -> S::f32s {
        xs
    }
}

/// The square of what it has more than this.
#[derive(Clone, Copy)]
pub(in crate::ops) struct SquareBeyond(pub(in crate::ops) f32);

impl Term for SquareBeyond {
    #[inline(always)]
    fn of<S: Simd>(self, simd: S, xs: S::f32s) -> S::f32s {
        let beyond = simd.sub_f32s(xs, simd.splat_f32s(self.0));
        simd.mul_f32s(beyond, beyond)
    }
}

/// The sum of the `term` of each number.
#[inline(always)]
pub(in crate::ops) fn sum<S: Simd>(simd: S, xs: &[f32], term: impl Term) -> f32 {
    together::<S, Sum>(simd, xs, term)
}

/// The largest number; −∞ of none. NaN may be left out.
#[inline(always)]
pub(in crate::ops) fn largest<S: Simd>(simd: S, xs: &[f32]) -> f32 {
    together::<S, Largest>(simd, xs, Itself)
}

/// How two numbers become one.
trait Join {
    const START: f32;

    fn two<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> S::f32s;

    /// The halves of `xs`, and their halves, until one number is left. On x86 only: elsewhere the order is another.
    fn all<S: Simd>(simd: S, xs: S::f32s) -> f32;
}

struct Sum;

impl Join for Sum {
    const START: f32 = 0.;

    #[inline(always)]
    fn two<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
        simd.add_f32s(a, b)
    }

    #[inline(always)]
    fn all<S: Simd>(simd: S, xs: S::f32s) -> f32 {
        simd.reduce_sum_f32s(xs)
    }
}

struct Largest;

impl Join for Largest {
    const START: f32 = f32::NEG_INFINITY;

    #[inline(always)]
    fn two<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
        simd.max_f32s(a, b)
    }

    #[inline(always)]
    fn all<S: Simd>(simd: S, xs: S::f32s) -> f32 {
        simd.reduce_max_f32s(xs)
    }
}

/// So many sums are made side by side, and then halves of them added to halves, so that the sum of a long row keeps its
/// digits: as many as fill several vectors of any width, so that the bits are those of every width.
const PARTS: usize = 64;

#[inline(always)]
fn together<S: Simd, J: Join>(simd: S, xs: &[f32], term: impl Term) -> f32 {
    let scalar = Scalar::new();
    let (whole, rest) = xs.as_chunks::<PARTS>();
    // Vectors of them, not numbers in memory, which the compiler would not keep in registers.
    let mut parts = [simd.splat_f32s(J::START); PARTS];
    let mut vectors = PARTS / S::F32_LANES;
    for xs in whole {
        for (part, &xs) in parts[..vectors].iter_mut().zip(S::as_simd_f32s(xs).0) {
            *part = J::two(simd, *part, term.of(simd, xs));
        }
    }
    if !rest.is_empty() {
        let mut numbers = [0.; PARTS];
        S::as_mut_simd_f32s(&mut numbers).0.copy_from_slice(&parts[..vectors]);
        for (part, &x) in numbers.iter_mut().zip(rest) {
            *part = J::two(scalar, *part, term.of(scalar, x));
        }
        parts[..vectors].copy_from_slice(S::as_simd_f32s(&numbers).0);
    }
    while vectors > 1 {
        vectors /= 2;
        for at in 0..vectors {
            parts[at] = J::two(simd, parts[at], parts[at + vectors]);
        }
    }
    if cfg!(any(target_arch = "x86_64", target_arch = "x86")) {
        return J::all(simd, parts[0]);
    }
    let mut numbers = [0.; PARTS];
    let mut left = S::F32_LANES;
    S::as_mut_simd_f32s(&mut numbers[..left]).0.copy_from_slice(&parts[..1]);
    while left > 1 {
        left /= 2;
        for at in 0..left {
            numbers[at] = J::two(scalar, numbers[at], numbers[at + left]);
        }
    }
    numbers[0]
}
