use candle_core::{Result, Tensor};

use super::{Elementwise, Function, elementwise, math};

/// e to the power of each element: any shape to the same shape.
///
/// PyTorch's `exp(x)`. In `f32` on the CPU within 1 ulp; elsewhere candle's own [`Tensor::exp`].
///
/// ```
/// # use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[0f32, 1., f32::NEG_INFINITY], &Device::Cpu)?;
/// assert_eq!(taper::ops::exp(&x)?.to_vec1::<f32>()?, [1., std::f32::consts::E, 0.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// A type that is not of floating-point numbers.
pub fn exp(x: &Tensor) -> Result<Tensor> {
    elementwise(Exp, x)
}

#[derive(Clone, Copy)]
struct Exp;

impl Function for Exp {
    #[inline(always)]
    fn at<const FMA: bool>(self, x: f32) -> f32 {
        math::exp::<FMA>(x)
    }

    #[inline(always)]
    fn ordinary(xs: &[f32]) -> bool {
        // Compared as whole numbers, of which NaN is a large one.
        xs.iter().fold(0, |largest, x| largest.max(x.abs().to_bits())) <= math::ORDINARY.to_bits()
    }

    #[inline(always)]
    fn at_ordinary<const FMA: bool>(self, x: f32) -> f32 {
        math::ordinary_exp::<FMA>(x)
    }
}

impl Elementwise for Exp {
    const NAME: &'static str = "exp";

    fn candle(x: &Tensor) -> Result<Tensor> {
        x.exp()
    }

    fn slope(_: &Tensor, y: &Tensor) -> Result<Tensor> {
        Ok(y.clone())
    }
}
