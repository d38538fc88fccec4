//! Functions of every element, and conversions.

use candle_core::{DType, Tensor};
use taper::ops;

use super::integer::{self, Ints};
use super::{Build, Compute, many, one};
use crate::dtype::Type;
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("Abs", |attrs| number(attrs, Tensor::abs, i64::wrapping_abs)),
    ("Invert", |attrs| number(attrs, |_| Err(Error::Msg("it is computed of integers only".to_owned())), |x| !x)),
    ("Neg", |attrs| number(attrs, Tensor::neg, i64::wrapping_neg)),
    ("Square", |attrs| number(attrs, Tensor::sqr, |x| x.wrapping_mul(x))),
    ("Sign", |attrs| number(attrs, Tensor::sign, i64::signum)),
    ("Exp", |_| one(ops::exp)),
    ("Expm1", |_| one(|x| x.exp()? - 1.)),
    ("Log", |_| one(Tensor::log)),
    ("Log1p", |_| one(|x| (x + 1.)?.log())),
    ("Sqrt", |_| one(Tensor::sqrt)),
    ("Rsqrt", |_| one(|x| x.sqrt()?.recip())),
    ("Reciprocal", |_| one(Tensor::recip)),
    ("Inv", |_| one(Tensor::recip)),
    ("Sin", |_| one(Tensor::sin)),
    ("Cos", |_| one(Tensor::cos)),
    ("Tanh", |_| one(ops::tanh)),
    ("Sigmoid", |_| one(ops::sigmoid)),
    ("Relu", relu),
    ("Relu6", |_| one(ops::relu6)),
    ("LeakyRelu", leaky_relu),
    ("Elu", |_| one(|x| x.elu(1.))),
    ("Selu", |_| one(selu)),
    ("Softplus", |_| one(softplus)),
    ("Softsign", |_| one(|x| x.broadcast_div(&(x.abs()? + 1.)?))),
    ("Tan", |_| one(|x| x.sin()? / x.cos()?)),
    ("Sinh", |_| one(|x| (x.exp()? - x.neg()?.exp()?)? * 0.5)),
    ("Cosh", |_| one(|x| (x.exp()? + x.neg()?.exp()?)? * 0.5)),
    ("Erf", |_| one(Tensor::erf)),
    ("Erfc", |_| one(|x| 1. - x.erf()?)),
    ("Floor", |_| one(Tensor::floor)),
    ("Ceil", |_| one(Tensor::ceil)),
    ("Round", |_| one(round)),
    ("Rint", |_| one(round)),
    ("LogicalNot", |_| one(|x| x.eq(0u8))),
    ("IsNan", |_| one(|x| x.ne(x))),
    ("IsFinite", |_| one(|x| x.abs()?.lt(f64::INFINITY))),
    ("IsInf", |_| one(|x| x.abs()?.eq(f64::INFINITY))),
    ("AddN", add_n),
];

/// What leaves values as they are, or says of what type they are to be.
pub(super) const PASSING: &[(&str, Build)] = &[
    ("ZerosLike", |_| one(Tensor::zeros_like)),
    ("OnesLike", |_| one(Tensor::ones_like)),
    ("Identity", |_| super::of_lists(|inputs| Ok(inputs.to_vec()))),
    ("ReadVariableOp", |_| one(same)),
    ("StopGradient", |_| one(|x| Ok(x.detach()))),
    ("PreventGradient", |_| one(same)),
    ("Snapshot", |_| one(same)),
    ("PlaceholderWithDefault", |_| one(same)),
    ("CheckNumerics", |_| one(same)),
    ("EnsureShape", |_| one(same)),
    ("IdentityN", |_| super::of_lists(|inputs| Ok(inputs.to_vec()))),
    ("Cast", cast),
];

/// A function of floats and of integers.
fn number(attrs: &Attrs<'_>, float: fn(&Tensor) -> Result<Tensor>, int: fn(i64) -> i64) -> Result<Compute> {
    let ints = Ints::read(attrs)?;
    one(move |x| if ints.are(x) { ints.map(x, int) } else { float(x) })
}

fn relu(attrs: &Attrs<'_>) -> Result<Compute> {
    number(attrs, ops::relu, |x| x.max(0))
}

fn same(x: &Tensor) -> Result<Tensor> {
    Ok(x.clone())
}

fn leaky_relu(attrs: &Attrs<'_>) -> Result<Compute> {
    let slope = f64::from(attrs.float_or("alpha", 0.2)?);
    one(move |x| x.relu()? - (x.neg()?.relu()? * slope)?)
}

fn selu(x: &Tensor) -> Result<Tensor> {
    const ALPHA: f64 = 1.673_263_242_354_377_2;
    const SCALE: f64 = 1.050_700_987_355_480_5;
    x.elu(ALPHA)? * SCALE
}

/// `log(1 + exp(x))`, which overflows nowhere.
fn softplus(x: &Tensor) -> Result<Tensor> {
    x.relu()? + (x.abs()?.neg()?.exp()? + 1.)?.log()?
}

/// To the nearest whole number, of two that are equally near to the even one.
fn round(x: &Tensor) -> Result<Tensor> {
    if integer::is(x) {
        return Ok(x.clone());
    }
    let tie = (x - x.floor()?)?.eq(0.5)?;
    tie.where_cond(&((x * 0.5)?.round()? * 2.)?, &x.round()?)
}

fn add_n(attrs: &Attrs<'_>) -> Result<Compute> {
    let ints = Ints::read(attrs)?;
    many(move |inputs| {
        let [first, rest @ ..] = inputs else { return Err(Error::Msg("it adds nothing".to_owned())) };
        rest.iter().try_fold(first.clone(), |sum, x| super::binary::add(ints, &sum, x))
    })
}

fn cast(attrs: &Attrs<'_>) -> Result<Compute> {
    let to = Type::of(attrs.ty("DstT")?.unwrap_or(0));
    let (dtype, ints) = (to.held()?, Ints::of(to));
    one(move |x| match to {
        Type::BOOL => x.ne(&x.zeros_like()?),
        _ if to.is_integer() || dtype == DType::U8 => {
            let whole =
                if x.dtype().is_float() { whole(x, ints.bits() > 32 || to.name() == "uint32")? } else { x.clone() };
            ints.map(&whole.to_dtype(DType::I64)?, |value| value)?.to_dtype(dtype)
        }
        _ => x.to_dtype(dtype),
    })
}

/// Towards zero. What there is no room for is the lowest number, as processors have it.
fn whole(x: &Tensor, wide: bool) -> Result<Tensor> {
    let (low, high) = if wide { (i64::MIN, i64::MAX) } else { (i64::from(i32::MIN), i64::from(i32::MAX)) };
    let values = x.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    let inside = |value: f64| value > low as f64 - 1. && value < high as f64 + f64::from(u8::from(!wide));
    let values: Vec<i64> = values.into_iter().map(|value| if inside(value) { value as i64 } else { low }).collect();
    Tensor::from_vec(values, x.shape(), x.device())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, b, f, flat, i, output, same};

    #[test]
    fn values_are_tensorflows() {
        let x = f(&[4], &[-1.5, -0.5, 0.5, 2.5]);
        for (op, values) in [
            ("Relu6", [0., 0., 0.5, 2.5]),
            ("LeakyRelu", [-0.3, -0.1, 0.5, 2.5]),
            ("Sigmoid", [0.182_425_5, 0.377_540_7, 0.622_459_3, 0.924_141_8]),
            ("Softplus", [0.201_413_3, 0.474_077, 0.974_077, 2.578_889_7]),
            ("Softsign", [-0.6, -0.333_333_3, 0.333_333_3, 0.714_285_7]),
            ("Selu", [-1.365_814_9, -0.691_758_2, 0.525_350_5, 2.626_752_5]),
            ("Elu", [-0.776_869_8, -0.393_469_3, 0.5, 2.5]),
            ("Erf", [-0.966_105_1, -0.520_499_9, 0.520_499_9, 0.999_593]),
            ("Erfc", [1.966_105_1, 1.520_499_9, 0.479_500_1, 0.000_407]),
            ("Round", [-2., -0., 0., 2.]),
            ("Sign", [-1., -1., 1., 1.]),
            ("Tan", [-14.101_42, -0.546_302_5, 0.546_302_5, -0.747_022_3]),
            ("Sinh", [-2.129_279_5, -0.521_095_3, 0.521_095_3, 6.050_204_5]),
            ("Cosh", [2.352_409_6, 1.127_626, 1.127_626, 6.132_289]),
            ("Expm1", [-0.776_869_8, -0.393_469_3, 0.648_721_3, 11.182_494]),
        ] {
            same(&output(op, &[], [x.clone()]), &[4], &values);
        }
        same(&output("Rsqrt", &[], &[f(&[2], &[4., 0.25])]), &[2], &[0.5, 2.]);
        same(&output("LogicalNot", &[], &[b(&[2], &[0, 1])]), &[2], &[1., 0.]);
        same(&output("IsFinite", &[], &[f(&[3], &[1., f32::NAN, f32::INFINITY])]), &[3], &[1., 0., 0.]);
        same(&output("AddN", &[], &[x.clone(), x.clone(), x]), &[4], &[-4.5, -1.5, 1.5, 7.5]);
    }

    #[test]
    fn integers_wrap_and_do_not_panic() {
        let x = i(&[2], &[i64::MIN, 3]);
        assert_eq!(output("Neg", &[], [x.clone()]).to_vec1::<i64>().unwrap(), [i64::MIN, -3]);
        assert_eq!(output("Square", &[], &[x]).to_vec1::<i64>().unwrap(), [0, 9]);
    }

    #[test]
    fn casts() {
        let x = f(&[3], &[-1.7, 0., 2.9]);
        let to = |ty, x: &candle_core::Tensor| flat(&output("Cast", &[("DstT", A::Type(ty))], [x.clone()])).1;
        assert_eq!(to(3, &x), [-1., 0., 2.]);
        assert_eq!(to(10, &x), [1., 0., 1.]);
        assert_eq!(to(3, &i(&[1], &[1 << 33 | 5])), [5.]);
        assert_eq!(to(1, &b(&[2], &[0, 1])), [0., 1.]);
    }
}
