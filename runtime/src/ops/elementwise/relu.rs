use candle_core::{Result, Tensor};

use super::{Elementwise, Function, elementwise};

/// Each element if it is positive, else 0: any shape to the same shape.
///
/// PyTorch's `F.relu(x)`: what is not a number stays so, where candle's [`Tensor::relu`] makes it 0. The gradient at 0 is 0.
///
/// ```
/// # use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[-1f32, 0., 2., f32::NAN], &Device::Cpu)?;
/// let y = taper::ops::relu(&x)?.to_vec1::<f32>()?;
/// assert_eq!(y[..3], [0., 0., 2.]);
/// assert!(y[3].is_nan());
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// A type that is not of floating-point numbers.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    elementwise(Relu, x)
}

#[derive(Clone, Copy)]
struct Relu;

impl Function for Relu {
    #[inline(always)]
    fn at<const FMA: bool>(self, x: f32) -> f32 {
        if x < 0. { 0. } else { x }
    }
}

impl Elementwise for Relu {
    const NAME: &'static str = "relu";

    fn candle(x: &Tensor) -> Result<Tensor> {
        x.lt(0f64)?.where_cond(&x.zeros_like()?, x)
    }

    fn slope(x: &Tensor, _: &Tensor) -> Result<Tensor> {
        x.gt(0f64)?.to_dtype(x.dtype())
    }
}
