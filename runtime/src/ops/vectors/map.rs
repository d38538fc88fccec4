use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{PARALLEL, SHARE};

/// A function of one number.
pub(in crate::ops) trait Function: Copy + Send + Sync + 'static {
    /// Its value. For `FMA` see [`math`](super::math).
    fn at<const FMA: bool>(self, x: f32) -> f32;
}

/// So many numbers are computed at a time.
const CHUNK: usize = 128;

/// `function` of each of `xs`. Whatever the number of threads, the bits are the same.
pub(in crate::ops) fn map(function: impl Function, xs: &[f32]) -> Vec<f32> {
    let arch = Arch::new();
    let of = |xs: &[f32; CHUNK]| arch.dispatch(OfChunk { function, xs });
    let (whole, rest) = xs.as_chunks::<CHUNK>();
    let last = (!rest.is_empty()).then(|| {
        let mut last = [0.; CHUNK];
        last[..rest.len()].copy_from_slice(rest);
        last
    });
    // Of arrays, because a vector of them can be made without being filled beforehand.
    let ys: Vec<[f32; CHUNK]> = if xs.len() < PARALLEL {
        whole.iter().chain(&last).map(of).collect()
    } else {
        whole.par_iter().chain(&last).with_min_len(SHARE / CHUNK).map(of).collect()
    };
    let mut ys = ys.into_flattened();
    ys.truncate(xs.len());
    ys
}

struct OfChunk<'a, F> {
    function: F,
    xs: &'a [f32; CHUNK],
}

impl<F: Function> WithSimd for OfChunk<'_, F> {
    type Output = [f32; CHUNK];

    // Compiled once for every set of instructions: the compiler makes vectors of the loop.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f32; CHUNK] {
        // Where there are vectors there is a multiplication with addition, except on old CPUs, which pulp takes for scalar.
        let fma = S::F32_LANES > 1;
        let mut ys = [0.; CHUNK];
        for (y, &x) in ys.iter_mut().zip(self.xs) {
            *y = if fma { self.function.at::<true>(x) } else { self.function.at::<false>(x) };
        }
        ys
    }
}
