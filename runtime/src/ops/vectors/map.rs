use std::mem::MaybeUninit;

use pulp::{Arch, Simd, WithSimd};

use super::{PARALLEL, SHARE};
use crate::ops::threads;

/// A function of one number.
pub(in crate::ops) trait Function: Copy + Send + Sync + 'static {
    /// Its value. For `FMA` see [`math`](super::math).
    fn at<const FMA: bool>(self, x: f32) -> f32;
}

/// So many numbers are computed at a time: a number that vectors of every width divide, so that none is computed by itself,
/// which would round it differently.
const CHUNK: usize = 128;

/// `function` of each of `xs`. Whatever the number of threads, the bits are the same.
pub(in crate::ops) fn map(function: impl Function, xs: &[f32]) -> Vec<f32> {
    let arch = Arch::new();
    let share = if xs.len() < PARALLEL { xs.len() } else { SHARE };
    threads::filled(xs.len(), share, |start, ys| {
        arch.dispatch(OfNumbers { function, xs: &xs[start..start + ys.len()], ys })
    })
}

struct OfNumbers<'a, 'r, F> {
    function: F,
    xs: &'a [f32],
    ys: &'r mut [MaybeUninit<f32>],
}

impl<'r, F: Function> WithSimd for OfNumbers<'_, 'r, F> {
    type Output = &'r mut [f32];

    // Compiled once for every set of instructions: the compiler makes vectors of the loops.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> &'r mut [f32] {
        let OfNumbers { function, xs, ys } = self;
        // Where there are vectors there is a multiplication with addition, except on old CPUs, which pulp takes for scalar.
        let fma = S::F32_LANES > 1;
        let at = |x: f32| if fma { function.at::<true>(x) } else { function.at::<false>(x) };
        let (whole, rest) = xs.as_chunks::<CHUNK>();
        let (whole_ys, rest_ys) = ys.as_chunks_mut::<CHUNK>();
        for (ys, xs) in whole_ys.iter_mut().zip(whole) {
            for (y, &x) in ys.iter_mut().zip(xs) {
                y.write(at(x));
            }
        }
        if !rest.is_empty() {
            let mut last = [0.; CHUNK];
            last[..rest.len()].copy_from_slice(rest);
            for x in &mut last {
                *x = at(*x);
            }
            rest_ys.write_copy_of_slice(&last[..rest.len()]);
        }
        all_written(ys)
    }
}

#[allow(unsafe_code)]
#[inline(always)]
fn all_written(ys: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    // SAFETY: above, the only place that calls it, has written every chunk and the rest behind the last.
    unsafe { ys.assume_init_mut() }
}
