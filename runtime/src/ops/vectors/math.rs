//! Functions of one `f32`, without branches, so that the compiler makes vectors of a loop over them.
//!
//! `FMA` says whether the CPU multiplies and adds in one instruction. Without it that is a call of a slow function, so the
//! two are done one after the other.

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E};

/// `a * b + c`.
#[inline(always)]
pub(in crate::ops) fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// e to the power of `x`: within 1 ulp.
#[inline(always)]
pub(in crate::ops) fn exp<const FMA: bool>(x: f32) -> f32 {
    // Beyond these it is 0 or ∞. `clamp` lets NaN pass.
    let (rest, power) = halvings::<FMA>(x.clamp(-104., 89.));
    // The power is that of two numbers, since 2 to the power of −149 has no exponent of its own.
    let half = power >> 1;
    exp_near_zero::<FMA>(rest) * power_of_two(half) * power_of_two(power.wrapping_sub(half))
}

/// The hyperbolic tangent: within 3 ulp.
#[inline(always)]
pub(in crate::ops) fn tanh<const FMA: bool>(x: f32) -> f32 {
    // Of a larger number it is 1. Not `min`, which would lose NaN.
    let twice = x.abs() * 2.;
    let twice = if twice > 20. { 20. } else { twice };
    let (rest, power) = halvings::<FMA>(twice);
    let scale = power_of_two(power);
    // e to the power of `twice`, minus 1, which small numbers need: (2ⁿ − 1) + 2ⁿ (eʳ − 1).
    let above = polynomial::<FMA, 5>(rest, EXP) * rest;
    let grown = mul_add::<FMA>(mul_add::<FMA>(above, rest, rest), scale, scale - 1.);
    (grown / (grown + 2.)).copysign(x)
}

/// 1 / (1 + e⁻ˣ): within 3 ulp where it is no less than 1e-37.
#[inline(always)]
pub(in crate::ops) fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    1. / (1. + exp::<FMA>(-x))
}

/// The part of the standard normal distribution that lies below `x`: within 6e-8, and where it is small within 2e-5 of
/// itself down to `x` = −5.
///
/// The approximations are N. Juffa's of erf: near zero a polynomial, beyond the exponential of one.
#[inline(always)]
pub(in crate::ops) fn normal_cdf<const FMA: bool>(x: f32) -> f32 {
    let x = x * FRAC_1_SQRT_2;
    let (t, square) = (x.abs(), x * x);
    let high = mul_add::<FMA>(-1.728_534_7e-5, t, 3.831_972e-4);
    let low = mul_add::<FMA>(-3.883_964_4e-3, t, 2.425_462_2e-2);
    let far = mul_add::<FMA>(high, square, low);
    let far = polynomial_from::<FMA>(far, t, &[-1.067_778_8e-1, -6.348_468_7e-1, -1.287_175_1e-1]);
    let tail = 0.5 * exp::<FMA>(mul_add::<FMA>(far, t, -t));
    let near = polynomial::<FMA, 6>(square, ERF);
    let near = mul_add::<FMA>(0.5, mul_add::<FMA>(near, x, x), 0.5);
    let far = if x < 0. { tail } else { 1. - tail };
    if t > 0.927_734_4 { far } else { near }
}

/// (eʳ − 1 − r) / r² for r between ±ln(2) / 2, from the highest power down. These too are N. Juffa's.
const EXP: [f32; 5] = [1.378_059_4e-3, 8.373_124_5e-3, 4.166_953_6e-2, 1.666_647_2e-1, 4.999_998_5e-1];

/// erf(x) / x − 1 in powers of x², from the highest down.
const ERF: [f32; 6] =
    [-5.967_617e-4, 4.991_192_3e-3, -2.676_813_5e-2, 1.128_199_25e-1, -3.761_253_4e-1, 1.283_791_7e-1];

/// e to the power of a number between ±ln(2) / 2.
#[inline(always)]
fn exp_near_zero<const FMA: bool>(x: f32) -> f32 {
    let above = polynomial::<FMA, 5>(x, EXP);
    mul_add::<FMA>(mul_add::<FMA>(above, x, 1.), x, 1.)
}

/// `x` as n ln(2) + r, with n whole and r as small as can be: r and n. No larger than a few thousand.
#[inline(always)]
fn halvings<const FMA: bool>(x: f32) -> (f32, i32) {
    // Added to a number, this leaves no digits behind the point, and those before it in the lowest bits.
    const ROUND: f32 = 12_582_912.;
    let rounded = mul_add::<FMA>(x, LOG2_E, ROUND);
    let n = rounded - ROUND;
    // ln(2) in two parts, of which n times the first has no rounding.
    let rest = mul_add::<FMA>(n, -0.693_145_75, x);
    let rest = mul_add::<FMA>(n, -1.428_606_8e-6, rest);
    (rest, (rounded.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32))
}

/// For `n` between −126 and 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// From the coefficient of the highest power down.
#[inline(always)]
fn polynomial<const FMA: bool, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    polynomial_from::<FMA>(coefficients[0], x, &coefficients[1..])
}

/// The same after `first`, the highest.
#[inline(always)]
fn polynomial_from<const FMA: bool>(first: f32, x: f32, coefficients: &[f32]) -> f32 {
    let mut sum = first;
    for &coefficient in coefficients {
        sum = mul_add::<FMA>(sum, x, coefficient);
    }
    sum
}
