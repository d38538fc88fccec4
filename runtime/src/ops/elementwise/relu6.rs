use candle_core::{Result, Tensor};

use super::{Elementwise, Function, elementwise};

/// Each element between 0 and 6, and else the nearer of the two: any shape to the same shape.
///
/// PyTorch's `F.relu6(x)`: what is not a number stays so. The gradient is 0 at both ends.
///
/// ```
/// # use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[-1f32, 2., 7.], &Device::Cpu)?;
/// assert_eq!(taper::ops::relu6(&x)?.to_vec1::<f32>()?, [0., 2., 6.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// A type that is not of floating-point numbers.
pub fn relu6(x: &Tensor) -> Result<Tensor> {
    elementwise(Relu6, x)
}

#[derive(Clone, Copy)]
struct Relu6;

impl Function for Relu6 {
    #[inline(always)]
    fn at<const FMA: bool>(self, x: f32) -> f32 {
        let x = if x < 0. { 0. } else { x };
        if x > 6. { 6. } else { x }
    }
}

impl Elementwise for Relu6 {
    const NAME: &'static str = "relu6";

    fn candle(x: &Tensor) -> Result<Tensor> {
        let positive = x.lt(0f64)?.where_cond(&x.zeros_like()?, x)?;
        x.gt(6f64)?.where_cond(&(x.zeros_like()? + 6.)?, &positive)
    }

    fn slope(x: &Tensor, _: &Tensor) -> Result<Tensor> {
        (x.gt(0f64)?.to_dtype(x.dtype())? * x.lt(6f64)?.to_dtype(x.dtype())?)?.contiguous()
    }
}
