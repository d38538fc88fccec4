use pulp::{Arch, Simd, WithSimd};

use super::{PARALLEL, SHARE};
use crate::ops::threads;

/// What is computed of one row of numbers.
pub(in crate::ops) trait OnRow: Sync {
    /// Of `from`, the row `index`, makes `to`, which is as long. For `FMA` see [`math`](super::math).
    fn row<const FMA: bool>(&self, index: usize, from: &[f32], to: &mut [f32]);
}

/// What `op` makes of every row of `xs`, each `width` long.
pub(in crate::ops) fn on_rows(op: &impl OnRow, width: usize, xs: &[f32]) -> Vec<f32> {
    let arch = Arch::new();
    let share = if xs.len() < PARALLEL { xs.len() } else { SHARE.div_ceil(width) * width };
    threads::filled(xs.len(), share, |start, ys| {
        let from = &xs[start..start + ys.len()];
        // Copied because room without numbers in it can't be handed on: it is in the nearest cache afterwards.
        let to = ys.write_copy_of_slice(from);
        arch.dispatch(Rows { op, width, first: start / width, from, to });
        to
    })
}

struct Rows<'a, O> {
    op: &'a O,
    width: usize,
    first: usize,
    from: &'a [f32],
    to: &'a mut [f32],
}

impl<O: OnRow> WithSimd for Rows<'_, O> {
    type Output = ();

    // Compiled once for every set of instructions: the compiler makes vectors of the loops in it.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Rows { op, width, first, from, to } = self;
        for (at, (from, to)) in from.chunks_exact(width).zip(to.chunks_exact_mut(width)).enumerate() {
            // Where there are vectors there is a multiplication with addition.
            if S::F32_LANES > 1 { op.row::<true>(first + at, from, to) } else { op.row::<false>(first + at, from, to) }
        }
    }
}

/// The sum of `of` each number.
#[inline(always)]
pub(in crate::ops) fn sum(xs: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    together(xs, 0., |sum, x| sum + of(x), |a, b| a + b)
}

/// The largest number; −∞ of none. NaN may be left out.
#[inline(always)]
pub(in crate::ops) fn largest(xs: &[f32]) -> f32 {
    let larger = |a, b| if a > b { a } else { b };
    together(xs, f32::NEG_INFINITY, larger, larger)
}

/// The numbers put together one by one with `put`, from `start`, in so many parts that they fill vectors; and the parts by
/// `join`.
#[inline(always)]
fn together(xs: &[f32], start: f32, put: impl Fn(f32, f32) -> f32, join: impl Fn(f32, f32) -> f32) -> f32 {
    const PARTS: usize = 64;
    let mut parts = [start; PARTS];
    let (whole, rest) = xs.as_chunks::<PARTS>();
    for xs in whole {
        for (part, &x) in parts.iter_mut().zip(xs) {
            *part = put(*part, x);
        }
    }
    for (part, &x) in parts.iter_mut().zip(rest) {
        *part = put(*part, x);
    }
    // Halves on halves, so that the sum of a long row keeps its digits; of known length, so that they are vectors.
    macro_rules! halves {
        ($($len:literal)+) => {$(
            for at in 0..$len {
                parts[at] = join(parts[at], parts[at + $len]);
            }
        )+};
    }
    halves!(32 16 8 4 2 1);
    parts[0]
}
