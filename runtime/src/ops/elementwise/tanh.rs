use candle_core::{Result, Tensor};

use super::{Elementwise, Function, elementwise, math};

/// The hyperbolic tangent of each element: any shape to the same shape.
///
/// PyTorch's `tanh(x)`. In `f32` on the CPU within 3 ulp; elsewhere candle's own [`Tensor::tanh`].
///
/// ```
/// # use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[0f32, 20., f32::NEG_INFINITY], &Device::Cpu)?;
/// assert_eq!(taper::ops::tanh(&x)?.to_vec1::<f32>()?, [0., 1., -1.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// A type that is not of floating-point numbers.
pub fn tanh(x: &Tensor) -> Result<Tensor> {
    elementwise(Tanh, x)
}

#[derive(Clone, Copy)]
struct Tanh;

impl Function for Tanh {
    #[inline(always)]
    fn at<const FMA: bool>(self, x: f32) -> f32 {
        math::tanh::<FMA>(x)
    }
}

impl Elementwise for Tanh {
    const NAME: &'static str = "tanh";

    fn candle(x: &Tensor) -> Result<Tensor> {
        x.tanh()
    }

    fn slope(_: &Tensor, y: &Tensor) -> Result<Tensor> {
        y.sqr()?.affine(-1., 1.)
    }
}
