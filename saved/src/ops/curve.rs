//! Functions of every element that candle has not: their values by the standard library, their gradients by the slopes.

use candle_core::{DType, Tensor};

use super::{Build, Compute, one};
use crate::Result;

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("Asin", |_| curve(f64::asin, |x| (1. - x * x).sqrt().recip())),
    ("Acos", |_| curve(f64::acos, |x| -(1. - x * x).sqrt().recip())),
    ("Atan", |_| curve(f64::atan, |x| (1. + x * x).recip())),
    ("Asinh", |_| curve(f64::asinh, |x| (1. + x * x).sqrt().recip())),
    ("Acosh", |_| curve(f64::acosh, |x| (x * x - 1.).sqrt().recip())),
    ("Atanh", |_| curve(f64::atanh, |x| (1. - x * x).recip())),
    ("Lgamma", |_| curve(ln_gamma, digamma)),
    ("Digamma", |_| curve(digamma, |_| f64::NAN)),
    ("Erfinv", |_| curve(erf_inverse, |x| normal_slope(erf_inverse(x)))),
    ("Ndtri", |_| curve(quantile, |p| std::f64::consts::SQRT_2 * normal_slope(erf_inverse(2. * p - 1.)) * 2.)),
];

fn curve(f: fn(f64) -> f64, slope: fn(f64) -> f64) -> Result<Compute> {
    one(move |x| {
        let values = x.detach().to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
        let all = |f: fn(f64) -> f64| {
            let values: Vec<f64> = values.iter().map(|value| f(*value)).collect();
            Tensor::from_vec(values, x.shape(), x.device())?.to_dtype(x.dtype())
        };
        let y = all(f)?;
        if !x.track_op() {
            return Ok(y);
        }
        // The difference is 0, and has the slope.
        y + (x - x.detach())? * all(slope)?
    })
}

/// By Lanczos, and by reflection on the left.
fn ln_gamma(x: f64) -> f64 {
    const COEFFICIENTS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        let sine = (std::f64::consts::PI * x).sin();
        return (std::f64::consts::PI / sine.abs()).ln() - ln_gamma(1. - x);
    }
    let x = x - 1.;
    let sum = (1..).zip(&COEFFICIENTS[1..]).fold(COEFFICIENTS[0], |sum, (at, c)| sum + c / (x + f64::from(at)));
    let t = x + 7.5;
    0.5 * (2. * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The slope of `ln_gamma`: moved to where its series is short.
fn digamma(x: f64) -> f64 {
    if x <= 0. {
        let pi = std::f64::consts::PI;
        return if x == x.floor() { f64::NAN } else { digamma(1. - x) - pi / (pi * x).tan() };
    }
    let (mut x, mut sum) = (x, 0.);
    while x < 10. {
        sum -= x.recip();
        x += 1.;
    }
    let s = (x * x).recip();
    sum + x.ln() - 0.5 / x - s * (1. / 12. - s * (1. / 120. - s * (1. / 252. - s * (1. / 240. - s / 132.))))
}

/// The slope of the inverse of the error function, at a value of it.
fn normal_slope(y: f64) -> f64 {
    std::f64::consts::PI.sqrt() / 2. * (y * y).exp()
}

fn quantile(p: f64) -> f64 {
    std::f64::consts::SQRT_2 * erf_inverse(2. * p - 1.)
}

/// Of what is no probability it is not a number.
fn erf_inverse(x: f64) -> f64 {
    if x.abs() > 1. { f64::NAN } else { candle_core::cpu::erf::erf_inv(x) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{f, output, same};
    use candle_core::{Tensor, Var};

    /// By NumPy and SciPy.
    #[test]
    fn values_are_those_of_others() {
        let x = f(&[3], &[-0.4, 0.25, 0.9]);
        for (op, values) in [
            ("Asin", [-0.411_516_8, 0.252_680_3, 1.119_769_5]),
            ("Acos", [1.982_313_2, 1.318_116_1, 0.451_026_8]),
            ("Atan", [-0.380_506_4, 0.244_978_7, 0.732_815_1]),
            ("Asinh", [-0.390_035_3, 0.247_466_5, 0.808_866_9]),
            ("Atanh", [-0.423_648_9, 0.255_412_8, 1.472_219_5]),
            ("Lgamma", [1.314_524_6, 1.288_022_5, 0.066_376_2]),
            ("Digamma", [0.959_380_8, -4.227_453_5, -0.754_926_95]),
            ("Erfinv", [-0.370_807_2, 0.225_312_06, 1.163_087_2]),
        ] {
            same(&output(op, &[], [x.clone()]), &[3], &values);
        }
        same(&output("Acosh", &[], [f(&[2], &[1., 2.])]), &[2], &[0., 1.316_957_9]);
        same(&output("Ndtri", &[], [f(&[3], &[0.025, 0.5, 1.])]), &[3], &[-1.959_964, 0., f64::INFINITY]);
    }

    #[test]
    fn slopes_are_those_of_finite_differences() {
        for op in ["Asin", "Acos", "Atan", "Asinh", "Atanh", "Lgamma", "Erfinv", "Ndtri"] {
            let x = Var::from_tensor(&f(&[2], &[0.3, 0.6])).unwrap();
            let y = output(op, &[], [x.as_tensor().clone()]);
            let slopes = y.sum_all().unwrap().backward().unwrap();
            let at = |x: Tensor| output(op, &[], [x.to_dtype(candle_core::DType::F64).unwrap()]);
            let wide = x.as_tensor().detach();
            let moved = |by: f64| at((wide.to_dtype(candle_core::DType::F64).unwrap() + by).unwrap());
            let differences = ((moved(1e-5) - moved(-1e-5)).unwrap() / 2e-5).unwrap();
            same(slopes.get(&x).unwrap(), &[2], &differences.to_vec1::<f64>().unwrap());
        }
    }
}
