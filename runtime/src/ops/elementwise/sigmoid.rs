use candle_core::{Result, Tensor};

use super::{Elementwise, Function, elementwise, math};

/// The logistic function of each element, 1 / (1 + e⁻ˣ): any shape to the same shape.
///
/// PyTorch's `sigmoid(x)`. In `f32` on the CPU within 3 ulp, and 0 below −87.7; elsewhere candle's own
/// [`candle_nn::ops::sigmoid`].
///
/// ```
/// # use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[0f32, 20., f32::NEG_INFINITY], &Device::Cpu)?;
/// assert_eq!(taper::ops::sigmoid(&x)?.to_vec1::<f32>()?, [0.5, 1., 0.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// A type that is not of floating-point numbers.
pub fn sigmoid(x: &Tensor) -> Result<Tensor> {
    elementwise(Sigmoid, x)
}

#[derive(Clone, Copy)]
struct Sigmoid;

impl Function for Sigmoid {
    #[inline(always)]
    fn at<const FMA: bool>(self, x: f32) -> f32 {
        math::sigmoid::<FMA>(x)
    }
}

impl Elementwise for Sigmoid {
    const NAME: &'static str = "sigmoid";

    fn candle(x: &Tensor) -> Result<Tensor> {
        candle_nn::ops::sigmoid(x)
    }

    fn slope(_: &Tensor, y: &Tensor) -> Result<Tensor> {
        y * y.affine(-1., 1.)?
    }
}
