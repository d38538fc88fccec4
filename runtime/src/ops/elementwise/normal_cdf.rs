use std::f64::consts::FRAC_1_SQRT_2;

use candle_core::{Result, Tensor};

use super::gelu::normal_density;
use super::{Elementwise, Function, elementwise, math};

/// The part of the standard normal distribution that lies below each element.
pub(super) fn normal_cdf(x: &Tensor) -> Result<Tensor> {
    elementwise(NormalCdf, x)
}

#[derive(Clone, Copy)]
struct NormalCdf;

impl Function for NormalCdf {
    #[inline(always)]
    fn at<const FMA: bool>(self, x: f32) -> f32 {
        math::normal_cdf::<FMA>(x)
    }
}

impl Elementwise for NormalCdf {
    const NAME: &'static str = "normal_cdf";

    fn candle(x: &Tensor) -> Result<Tensor> {
        x.affine(FRAC_1_SQRT_2, 0.)?.erf()?.affine(0.5, 0.5)
    }

    fn slope(x: &Tensor, _: &Tensor) -> Result<Tensor> {
        normal_density(x)
    }
}
