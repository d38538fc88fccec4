//! Functions of one `f32`, without branches, so that the compiler makes vectors of a loop over them.
//!
//! `FMA` says whether the CPU multiplies and adds in one instruction. Without it that is a call of a slow function, so the
//! two are done one after the other.

use std::f32::consts::LOG2_E;

/// `a * b + c`.
#[inline(always)]
pub(in crate::ops) fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// e to the power of `x`: within 1 ulp.
#[inline(always)]
pub(in crate::ops) fn exp<const FMA: bool>(x: f32) -> f32 {
    // Beyond these it is 0 or ∞. `clamp` lets NaN pass.
    let x = x.clamp(-104., 89.);
    let rounded = mul_add::<FMA>(x, LOG2_E, ROUND);
    let rest = without_halvings::<FMA>(x, rounded - ROUND);
    // The power is that of two numbers, since 2 to the power of −149 has no exponent of its own.
    let power = (rounded.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = power >> 1;
    exp_near_zero::<FMA>(rest) * power_of_two(half) * power_of_two(power.wrapping_sub(half))
}

/// The same, bit for bit, where it is an ordinary number: for `x` between ±[`ORDINARY`]. In half the time.
#[inline(always)]
pub(in crate::ops) fn ordinary_exp<const FMA: bool>(x: f32) -> f32 {
    let (scale, rest) = scale::<FMA>(x);
    exp_near_zero::<FMA>(rest) * scale
}

/// e to the power of this, and of its negative, is neither too large nor too small for a float of full precision.
pub(in crate::ops) const ORDINARY: f32 = 87.;

/// e to the power of `x` that is not above 0: within 1 ulp, and 0 where it is below the smallest float of full precision.
#[inline(always)]
pub(in crate::ops) fn exp_below_one<const FMA: bool>(x: f32) -> f32 {
    // There the scale is 0. Not `max`, which would lose NaN.
    ordinary_exp::<FMA>(if x < -88.03 { -88.03 } else { x })
}

/// The hyperbolic tangent: within 3 ulp.
#[inline(always)]
pub(in crate::ops) fn tanh<const FMA: bool>(x: f32) -> f32 {
    // Of a larger number it is 1. Not `min`, which would lose NaN.
    let twice = x.abs() * 2.;
    let twice = if twice > 20. { 20. } else { twice };
    let (scale, rest) = scale::<FMA>(twice);
    // e to the power of `twice`, minus 1, which small numbers need: (2ⁿ − 1) + 2ⁿ (eʳ − 1).
    let above = polynomial::<FMA, 5>(rest, EXP) * rest;
    let grown = mul_add::<FMA>(mul_add::<FMA>(above, rest, rest), scale, scale - 1.);
    (grown / (grown + 2.)).copysign(x)
}

/// 1 / (1 + e⁻ˣ): within 3 ulp where it is no less than 1e-37.
#[inline(always)]
pub(in crate::ops) fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    gated::<FMA>(1., x)
}

/// `x` times the [`sigmoid`] of `gate`.
#[inline(always)]
pub(in crate::ops) fn gated<const FMA: bool>(x: f32, gate: f32) -> f32 {
    let small = exp_below_one::<FMA>(-gate.abs());
    (if gate < 0. { x * small } else { x }) / (1. + small)
}

/// The part of the standard normal distribution that lies below `x`: within 1e-7, and where it is small within 2e-5 of
/// itself down to `x` = −5.
#[inline(always)]
pub(in crate::ops) fn normal_cdf<const FMA: bool>(x: f32) -> f32 {
    // Beyond 13.19 nothing is left. Not `min`, which would lose NaN.
    let t = x.abs();
    let t = if t > 13.19 { 13.19 } else { t };
    // The logarithm of what lies beyond t, in even and odd powers, whose sums can be made at once.
    let square = t * t;
    let even = polynomial::<FMA, 5>(square, LOG_TAIL_EVEN);
    let odd = polynomial::<FMA, 5>(square, LOG_TAIL_ODD);
    let log = mul_add::<FMA>(even, square, mul_add::<FMA>(odd, t, -1.));
    let rounded = log + ROUND_TO_SCALE;
    let rest = log - (rounded - ROUND_TO_SCALE);
    let tail = mul_add::<FMA>(polynomial::<FMA, 5>(rest, EXP2), rest, 1.) * to_scale(rounded);
    if x > 0. { 1. - tail } else { tail }
}

/// (eʳ − 1 − r) / r² for r between ±ln(2) / 2, from the highest power down. These too are N. Juffa's.
const EXP: [f32; 5] = [1.378_059_4e-3, 8.373_124_5e-3, 4.166_953_6e-2, 1.666_647_2e-1, 4.999_998_5e-1];

/// (2ʳ − 1) / r for r between ±1/2, from the highest power down. This and the next two were fitted by tools/normal_tail.py.
#[expect(clippy::approx_constant, reason = "fitted with the others, not the logarithm of 2")]
const EXP2: [f32; 5] = [1.326_473e-3, 9.671_513e-3, 5.550_733_6e-2, 2.402_224_2e-1, 6.931_47e-1];

/// The logarithm to the base 2 of the part of the normal distribution beyond t, plus 1: its even powers of t, from the tenth
/// to the second. The part is within 2e-8 / max(t, 1), and the logarithm −127 at 13.19.
const LOG_TAIL_EVEN: [f32; 5] = [-1.072_865_1e-8, -6.603_85e-6, -2.074_408_8e-4, 7.089_295e-3, -4.591_983_6e-1];

/// The odd powers, from the ninth to the first.
const LOG_TAIL_ODD: [f32; 5] = [4.209_017_6e-7, 5.319_049e-5, -1.331_080_9e-4, -5.252_386_6e-2, -1.151_106_2];

/// e to the power of a number between ±ln(2) / 2.
#[inline(always)]
fn exp_near_zero<const FMA: bool>(x: f32) -> f32 {
    let above = polynomial::<FMA, 5>(x, EXP);
    mul_add::<FMA>(mul_add::<FMA>(above, x, 1.), x, 1.)
}

/// Added to a number, this leaves no digits behind the point, and those before it in the lowest bits.
const ROUND: f32 = 12_582_912.;

/// The same, and in the lowest bits is the exponent of the float that is 2 to that power.
const ROUND_TO_SCALE: f32 = ROUND + 127.;

/// `x` as n ln(2) + r, with n whole and r as small as can be: 2ⁿ and r. n is between −127, of which 0 is made, and 128, which
/// makes ∞.
#[inline(always)]
fn scale<const FMA: bool>(x: f32) -> (f32, f32) {
    let rounded = mul_add::<FMA>(x, LOG2_E, ROUND_TO_SCALE);
    (to_scale(rounded), without_halvings::<FMA>(x, rounded - ROUND_TO_SCALE))
}

/// 2 to the power of what was added to [`ROUND_TO_SCALE`].
#[inline(always)]
fn to_scale(rounded: f32) -> f32 {
    f32::from_bits(rounded.to_bits() << 23)
}

/// `x` − n ln(2).
#[inline(always)]
fn without_halvings<const FMA: bool>(x: f32, n: f32) -> f32 {
    // ln(2) in two parts, of which n times the first has no rounding.
    mul_add::<FMA>(n, -1.428_606_8e-6, mul_add::<FMA>(n, -0.693_145_75, x))
}

/// For `n` between −126 and 127.
#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// From the coefficient of the highest power down.
#[inline(always)]
fn polynomial<const FMA: bool, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    for &coefficient in &coefficients[1..] {
        sum = mul_add::<FMA>(sum, x, coefficient);
    }
    sum
}
