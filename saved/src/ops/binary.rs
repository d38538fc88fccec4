//! Functions of two values that are broadcast against each other.

use candle_core::{DType, Tensor};

use super::integer::Ints;
use super::{Build, Compute, broadcast};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("Add", |attrs| number(attrs, Tensor::broadcast_add, |a, b| Some(a.wrapping_add(b)))),
    ("AddV2", |attrs| number(attrs, Tensor::broadcast_add, |a, b| Some(a.wrapping_add(b)))),
    ("Sub", |attrs| number(attrs, Tensor::broadcast_sub, |a, b| Some(a.wrapping_sub(b)))),
    ("Mul", |attrs| number(attrs, Tensor::broadcast_mul, |a, b| Some(a.wrapping_mul(b)))),
    ("Div", |attrs| number(attrs, Tensor::broadcast_div, i64::checked_div)),
    ("RealDiv", |attrs| number(attrs, Tensor::broadcast_div, i64::checked_div)),
    ("TruncateDiv", |attrs| number(attrs, |a, b| toward_zero(&a.broadcast_div(b)?), i64::checked_div)),
    ("DivNoNan", |_| two(div_no_nan)),
    ("FloorDiv", |attrs| number(attrs, |a, b| a.broadcast_div(b)?.floor(), floor_div)),
    ("FloorMod", |attrs| number(attrs, floor_mod, floor_rem)),
    ("TruncateMod", truncate_mod),
    ("Mod", truncate_mod),
    ("Maximum", |attrs| number(attrs, maximum, |a, b| Some(a.max(b)))),
    ("Minimum", |attrs| number(attrs, minimum, |a, b| Some(a.min(b)))),
    ("Pow", |attrs| number(attrs, pow, |a, b| Some(a.wrapping_pow(u32::try_from(b).ok()?)))),
    ("SquaredDifference", |attrs| {
        number(
            attrs,
            |a, b| a.broadcast_sub(b)?.sqr(),
            |a, b| {
                let difference = a.wrapping_sub(b);
                Some(difference.wrapping_mul(difference))
            },
        )
    }),
    ("BitwiseAnd", |attrs| bits(attrs, |a, b, _| a & b)),
    ("BitwiseOr", |attrs| bits(attrs, |a, b, _| a | b)),
    ("BitwiseXor", |attrs| bits(attrs, |a, b, _| a ^ b)),
    ("LeftShift", |attrs| bits(attrs, |a, b, bits| a << b.clamp(0, bits - 1))),
    ("RightShift", |attrs| bits(attrs, |a, b, bits| a >> b.clamp(0, bits - 1))),
    ("Xdivy", |_| two(|a, b| where_zero(a, &div_no_nan(a, b)?))),
    ("Xlogy", |_| two(|a, b| where_zero(a, &a.broadcast_mul(&b.log()?)?))),
    ("Xlog1py", |_| two(|a, b| where_zero(a, &a.broadcast_mul(&(b + 1.)?.log()?)?))),
    ("MulNoNan", |_| two(|a, b| where_zero(b, &a.broadcast_mul(b)?))),
    ("ApproximateEqual", |attrs| {
        let near = f64::from(attrs.float_or("tolerance", 1e-5)?);
        two(move |a, b| a.broadcast_sub(b)?.abs()?.lt(near))
    }),
    ("ClipByValue", clip),
    ("Equal", |_| two(Tensor::broadcast_eq)),
    ("NotEqual", |_| two(Tensor::broadcast_ne)),
    ("Less", |_| two(Tensor::broadcast_lt)),
    ("LessEqual", |_| two(Tensor::broadcast_le)),
    ("Greater", |_| two(Tensor::broadcast_gt)),
    ("GreaterEqual", |_| two(Tensor::broadcast_ge)),
    ("LogicalAnd", |_| two(Tensor::broadcast_minimum)),
    ("LogicalOr", |_| two(Tensor::broadcast_maximum)),
    ("BiasAdd", bias_add),
];

/// Of two values that are broadcast, one; there is room for it before anything is made that large.
fn two(f: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + Send + Sync + 'static) -> Result<Compute> {
    super::two(move |a, b| {
        broadcast(a.dims(), b.dims())?;
        f(a, b)
    })
}

/// A function of floats and of integers.
fn number(
    attrs: &Attrs<'_>,
    float: fn(&Tensor, &Tensor) -> Result<Tensor>,
    int: fn(i64, i64) -> Option<i64>,
) -> Result<Compute> {
    let ints = Ints::read(attrs)?;
    two(move |a, b| if ints.are(a) { ints.zip(a, b, int) } else { float(a, b) })
}

/// A function of integers alone, and of how many bits they have.
fn bits(attrs: &Attrs<'_>, f: fn(i64, i64, i64) -> i64) -> Result<Compute> {
    let ints = Ints::read(attrs)?;
    two(move |a, b| match (ints.are(a), ints.are(b)) {
        (true, true) => ints.zip(a, b, |a, b| Some(f(a, b, i64::from(ints.bits())))),
        _ => Err(Error::Msg("it is computed of integers only".to_owned())),
    })
}

fn truncate_mod(attrs: &Attrs<'_>) -> Result<Compute> {
    number(attrs, |a, b| a.broadcast_sub(&b.broadcast_mul(&toward_zero(&a.broadcast_div(b)?)?)?), i64::checked_rem)
}

/// candle's own gives `a` where `b` is not a number.
fn maximum(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    or_nan(&a.broadcast_maximum(b)?, b)
}

fn minimum(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    or_nan(&a.broadcast_minimum(b)?, b)
}

/// What was computed, but for places where another value is not a number.
pub(super) fn or_nan(computed: &Tensor, other: &Tensor) -> Result<Tensor> {
    // A sum is fast, and is not a number if one of its parts is not.
    let sum = other.detach().sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    if !sum.is_nan() {
        return Ok(computed.clone());
    }
    let other = other.broadcast_as(computed.shape())?;
    other.ne(&other)?.where_cond(&other.contiguous()?, computed)
}

/// From the lowest to the highest.
fn clip(attrs: &Attrs<'_>) -> Result<Compute> {
    let ints = Ints::read(attrs)?;
    super::three(move |x, low, high| {
        broadcast(&broadcast(x.dims(), high.dims())?, low.dims())?;
        match ints.are(x) {
            true => ints.zip(&ints.zip(x, high, |x, high| Some(x.min(high)))?, low, |x, low| Some(x.max(low))),
            false => maximum(&minimum(x, high)?, low),
        }
    })
}

/// Zero where `a` is, whatever was computed there.
fn where_zero(a: &Tensor, computed: &Tensor) -> Result<Tensor> {
    let zero = a.broadcast_as(computed.shape())?.eq(0.)?;
    zero.where_cond(&computed.zeros_like()?, computed)
}

/// The sum of two values, integers being of a type.
pub(super) fn add(ints: Ints, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    broadcast(a.dims(), b.dims())?;
    if ints.are(a) { ints.zip(a, b, |a, b| Some(a.wrapping_add(b))) } else { a.broadcast_add(b) }
}

fn toward_zero(x: &Tensor) -> Result<Tensor> {
    x.ge(0.)?.where_cond(&x.floor()?, &x.ceil()?)
}

fn floor_div(a: i64, b: i64) -> Option<i64> {
    let whole = a.checked_div(b)?;
    Some(if a.wrapping_rem(b) != 0 && (a < 0) != (b < 0) { whole - 1 } else { whole })
}

fn floor_rem(a: i64, b: i64) -> Option<i64> {
    let rest = a.checked_rem(b)?;
    Some(if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest })
}

fn floor_mod(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    a.broadcast_sub(&b.broadcast_mul(&a.broadcast_div(b)?.floor()?)?)
}

fn div_no_nan(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let sizes = broadcast(a.dims(), b.dims())?;
    let b = b.broadcast_as(sizes.as_slice())?;
    let zero = b.eq(0.)?;
    // The gradient of a quotient by zero is not to reach the other branch.
    let safe = zero.where_cond(&b.ones_like()?, &b)?;
    let quotient = a.broadcast_div(&safe)?;
    zero.where_cond(&quotient.zeros_like()?, &quotient)
}

/// candle's own power is by logarithms, which negative numbers have none of.
fn pow(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if b.elem_count() == 1 && a.rank() >= b.rank() {
        let exponent = b.flatten_all()?.get(0)?.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()?;
        return a.powf(exponent);
    }
    let sizes = broadcast(a.dims(), b.dims())?;
    let (a, b) = (a.broadcast_as(sizes.as_slice())?, b.broadcast_as(sizes.as_slice())?);
    let zero = b.zeros_like()?;
    let size = (a.abs()?.log()? * &b)?.exp()?;
    let size = b.eq(0.)?.where_cond(&zero.ones_like()?, &size)?;
    let odd = (&b - (((&b * 0.5)?.floor()?) * 2.)?)?.eq(1.)?;
    let signed = odd.where_cond(&size.neg()?, &size)?;
    let not_whole = b.ne(&b.floor()?)?;
    let signed = not_whole.where_cond(&(zero + f64::NAN)?, &signed)?;
    a.lt(0.)?.where_cond(&signed, &size)
}

/// Adds a value to every channel.
fn bias_add(attrs: &Attrs<'_>) -> Result<Compute> {
    let (ints, first) = (Ints::read(attrs)?, attrs.str("data_format")? == Some("NCHW"));
    super::two(move |x, bias| {
        let channels = if first { x.dims().get(1) } else { x.dims().last() };
        if bias.rank() != 1 || channels != bias.dims().first() {
            let (x, bias) = (x.dims(), bias.dims());
            return Err(Error::Msg(format!("a bias of {bias:?} does not fit the channels of {x:?}")));
        }
        if !first {
            return add(ints, x, bias);
        }
        let mut sizes = vec![1; x.rank()];
        sizes[1] = bias.elem_count();
        add(ints, x, &bias.reshape(sizes)?)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, f, i, output, outputs, rising, same};

    #[test]
    fn values_are_tensorflows() {
        let (a, b) = (f(&[4], &[-7., 7., -7., 7.]), f(&[4], &[3., 3., -3., -3.]));
        for (op, values) in [
            ("FloorDiv", [-3., 2., 2., -3.]),
            ("FloorMod", [2., 1., -1., -2.]),
            ("TruncateDiv", [-2., 2., 2., -2.]),
            ("Mod", [-1., 1., -1., 1.]),
            ("SquaredDifference", [100., 16., 16., 100.]),
            ("Pow", [-343., 343., -0.002_915_5, 0.002_915_5]),
            ("Less", [1., 0., 1., 0.]),
        ] {
            same(&output(op, &[], &[a.clone(), b.clone()]), &[4], &values);
        }
        same(&output("DivNoNan", &[], &[f(&[2], &[1., 4.]), f(&[2], &[0., 2.])]), &[2], &[0., 2.]);
        let xlogy = output("Xlogy", &[], &[f(&[3], &[0., 2., 0.]), f(&[3], &[0., 1., -1.])]);
        same(&xlogy, &[3], &[0., 0., 0.]);
        same(&output("Pow", &[], &[f(&[3], &[-2., 0., 3.]), f(&[], &[2.])]), &[3], &[4., 0., 9.]);
        let pow = output("Pow", &[], &[f(&[4], &[-2., -2., 0., 0.]), f(&[4], &[0.5, 0., 0., 2.])]);
        same(&pow, &[4], &[f64::NAN, 1., 1., 0.]);
    }

    #[test]
    fn what_is_not_a_number_stays_so() {
        let (x, nan) = (f(&[2], &[1., -1.]), f(&[2], &[f32::NAN, 0.5]));
        for op in ["Maximum", "Minimum"] {
            for pair in [[x.clone(), nan.clone()], [nan.clone(), x.clone()]] {
                assert!(output(op, &[], &pair).to_vec1::<f32>().unwrap()[0].is_nan(), "{op}");
            }
        }
        for op in ["Relu", "Relu6"] {
            let y = output(op, &[], [f(&[3], &[f32::NAN, -1., 2.])]).to_vec1::<f32>().unwrap();
            assert!(y[0].is_nan() && y[1..] == [0., 2.], "{op}: {y:?}");
        }
        same(&output("MulNoNan", &[], [nan, f(&[2], &[0., 2.])]), &[2], &[0., 1.]);
        same(&output("ClipByValue", &[], [x, f(&[], &[0.]), f(&[], &[0.5])]), &[2], &[0.5, 0.]);
        let whole = [i(&[3], &[1, 5, 9]), i(&[], &[2]), i(&[], &[6])];
        assert_eq!(output("ClipByValue", &[], &whole).to_vec1::<i64>().unwrap(), [2, 5, 6]);
    }

    /// By TensorFlow: arithmetic of few bits wraps.
    #[test]
    fn integers_have_the_bits_of_their_type() {
        let (max, two) = (i(&[1], &[i64::from(i32::MAX)]), i(&[1], &[2]));
        let of = |op, ty, a: &candle_core::Tensor, b: &candle_core::Tensor| {
            super::super::testing::flat(&output(op, &[("T", A::Type(ty))], [a.clone(), b.clone()])).1[0]
        };
        assert_eq!(of("Mul", 3, &max, &two), -2.);
        assert_eq!(of("AddV2", 3, &max, &two), -2_147_483_647.);
        assert_eq!(of("LeftShift", 3, &max, &two), -4.);
        assert_eq!(of("Mul", 9, &max, &two), 4_294_967_294.);
        assert_eq!(of("Sub", 22, &two, &i(&[1], &[3])), 4_294_967_295.);
        let byte = |value| super::super::testing::b(&[1], &[value]);
        assert_eq!(of("AddV2", 4, &byte(250), &byte(10)), 4.);
        assert_eq!(of("FloorMod", 4, &byte(7), &byte(4)), 3.);
        assert!(outputs("Sub", &[("T", A::Type(23))], [two, i(&[1], &[3])]).is_err());
    }

    #[test]
    fn integers_are_those_of_tensorflow() {
        let (a, b) = (i(&[4], &[-7, 7, -7, 7]), i(&[4], &[3, 3, -3, -3]));
        for (op, values) in [
            ("FloorDiv", [-3, 2, 2, -3]),
            ("FloorMod", [2, 1, -1, -2]),
            ("Mod", [-1, 1, -1, 1]),
            ("AddV2", [-4, 10, -10, 4]),
        ] {
            assert_eq!(output(op, &[], &[a.clone(), b.clone()]).to_vec1::<i64>().unwrap(), values, "{op}");
        }
        for (op, values) in [
            ("BitwiseAnd", [1, 3]),
            ("BitwiseOr", [7, 7]),
            ("BitwiseXor", [6, 4]),
            ("LeftShift", [40, 56]),
            ("RightShift", [0, 0]),
        ] {
            let given = output(op, &[], &[i(&[2], &[5, 7]), i(&[], &[3])]).to_vec1::<i64>().unwrap();
            assert_eq!(given, values, "{op}");
        }
        assert!(outputs("BitwiseAnd", &[], &[f(&[1], &[1.]), i(&[1], &[1])]).is_err());
        assert!(outputs("FloorDiv", &[], &[a.clone(), i(&[1], &[0])]).is_err());
        assert!(outputs("FloorDiv", &[], &[i(&[1], &[i64::MIN]), i(&[1], &[-1])]).is_err());
        let max = i(&[1], &[i64::MAX]);
        assert_eq!(output("AddV2", &[], &[max.clone(), max]).to_vec1::<i64>().unwrap(), [-2]);
    }

    #[test]
    fn a_bias_is_one_a_channel() {
        let x = rising(&[1, 2, 2]);
        same(&output("BiasAdd", &[], &[x.clone(), f(&[2], &[10., 20.])]), &[1, 2, 2], &[11., 22., 13., 24.]);
        let first = [("data_format", A::Str("NCHW"))];
        same(&output("BiasAdd", &first, &[x.clone(), f(&[2], &[10., 20.])]), &[1, 2, 2], &[11., 12., 23., 24.]);
        assert!(outputs("BiasAdd", &[], &[x, f(&[1], &[1.])]).is_err());
    }
}
