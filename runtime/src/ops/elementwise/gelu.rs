use std::f64::consts::{FRAC_2_SQRT_PI, SQRT_2};

use candle_core::{Result, Tensor};

use super::normal_cdf::normal_cdf;
use super::{Elementwise, Function, elementwise, exp, math};

/// The Gaussian error linear unit, x times the part of the standard normal distribution that lies below x, for each element:
/// any shape to the same shape.
///
/// PyTorch's `F.gelu(x)`; Hendrycks and Gimpel, [Gaussian Error Linear Units](https://arxiv.org/abs/1606.08415). In `f32` on
/// the CPU within 2e-7 + 2e-7 · |value|; elsewhere candle's own [`Tensor::gelu_erf`]. −∞ gives NaN, as it does there.
///
/// ```
/// # use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[0f32, 20., -1.], &Device::Cpu)?;
/// assert_eq!(taper::ops::gelu(&x)?.to_vec1::<f32>()?, [0., 20., -0.15865526]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// A type that is not of floating-point numbers.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    elementwise(Gelu, x)
}

#[derive(Clone, Copy)]
struct Gelu;

impl Function for Gelu {
    #[inline(always)]
    fn at<const FMA: bool>(self, x: f32) -> f32 {
        x * math::normal_cdf::<FMA>(x)
    }
}

impl Elementwise for Gelu {
    const NAME: &'static str = "gelu";

    fn candle(x: &Tensor) -> Result<Tensor> {
        x.gelu_erf()
    }

    fn slope(x: &Tensor, _: &Tensor) -> Result<Tensor> {
        normal_cdf(x)? + (x * normal_density(x)?)?
    }
}

/// e to the power of −x² / 2, divided by √(2π).
pub(super) fn normal_density(x: &Tensor) -> Result<Tensor> {
    exp(&x.sqr()?.affine(-0.5, 0.)?)?.affine(FRAC_2_SQRT_PI / (2. * SQRT_2), 0.)
}
