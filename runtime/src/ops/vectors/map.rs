use std::mem::MaybeUninit;

use pulp::{Arch, Simd, WithSimd};

use super::{PARALLEL, SHARE};
use crate::ops::threads;

/// A function of one number.
pub(in crate::ops) trait Function: Copy + Send + Sync + 'static {
    /// Its value. For `FMA` see [`math`](super::math).
    fn at<const FMA: bool>(self, x: f32) -> f32;

    /// Whether all of `xs` are so ordinary that [`at_ordinary`](Self::at_ordinary) does for them.
    #[inline(always)]
    fn ordinary(_: &[f32]) -> bool {
        false
    }

    /// Bit for bit the same as [`at`](Self::at), in less time.
    #[inline(always)]
    fn at_ordinary<const FMA: bool>(self, x: f32) -> f32 {
        self.at::<FMA>(x)
    }
}

/// So many numbers are computed at a time: a number that vectors of every width divide, so that none is computed by itself,
/// which would round it differently.
const CHUNK: usize = 128;

/// So many chunks are one loop: longer than what the compiler would write out instead, which is slower, and in the nearest
/// cache.
const AT_ONCE: usize = 8;

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
        let (whole, rest) = xs.as_chunks::<CHUNK>();
        let (whole_ys, rest_ys) = ys.as_chunks_mut::<CHUNK>();
        for (ys, xs) in whole_ys.chunks_mut(AT_ONCE).zip(whole.chunks(AT_ONCE)) {
            each(function, xs.as_flattened(), ys.as_flattened_mut(), S::F32_LANES > 1);
        }
        if !rest.is_empty() {
            let (mut last, mut made) = ([0.; CHUNK], [MaybeUninit::new(0.); CHUNK]);
            last[..rest.len()].copy_from_slice(rest);
            each(function, &last, &mut made, S::F32_LANES > 1);
            rest_ys.copy_from_slice(&made[..rest.len()]);
        }
        all_written(ys)
    }
}

/// `function` of each of `xs`.
#[inline(always)]
fn each<F: Function>(function: F, xs: &[f32], ys: &mut [MaybeUninit<f32>], vectors: bool) {
    // Where there are vectors there is a multiplication with addition, except on old CPUs, which pulp takes for scalar.
    match (vectors, F::ordinary(xs)) {
        (true, true) => write(xs, ys, |x| function.at_ordinary::<true>(x)),
        (true, false) => write(xs, ys, |x| function.at::<true>(x)),
        (false, _) => write(xs, ys, |x| function.at::<false>(x)),
    }
}

#[inline(always)]
fn write(xs: &[f32], ys: &mut [MaybeUninit<f32>], of: impl Fn(f32) -> f32) {
    for (y, &x) in ys.iter_mut().zip(xs) {
        y.write(of(x));
    }
}

#[allow(unsafe_code)]
#[inline(always)]
fn all_written(ys: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    // SAFETY: above, the only place that calls it, has written every chunk and the rest behind the last.
    unsafe { ys.assume_init_mut() }
}
