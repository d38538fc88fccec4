use candle_core::{Result, Tensor};

use super::{Elementwise, Function, elementwise, math, sigmoid};

/// GELU by the sigmoid, x · σ(1.702 x), for each element: any shape to the same shape.
///
/// OpenAI's CLIP has it; Hugging Face's `quick_gelu`. In `f32` on the CPU within 2e-7 + 2e-7 · |value|; elsewhere of candle's
/// own operations. −∞ gives NaN, as it does there.
///
/// ```
/// # use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[0f32, 20., -1.], &Device::Cpu)?;
/// assert_eq!(taper::ops::quick_gelu(&x)?.to_vec1::<f32>()?, [0., 20., -0.15420423]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// A type that is not of floating-point numbers.
pub fn quick_gelu(x: &Tensor) -> Result<Tensor> {
    elementwise(QuickGelu, x)
}

#[derive(Clone, Copy)]
struct QuickGelu;

const SHARPNESS: f64 = 1.702;

impl Function for QuickGelu {
    #[inline(always)]
    fn at<const FMA: bool>(self, x: f32) -> f32 {
        math::gated::<FMA>(x, x * SHARPNESS as f32)
    }
}

impl Elementwise for QuickGelu {
    const NAME: &'static str = "quick_gelu";

    fn candle(x: &Tensor) -> Result<Tensor> {
        x * candle_nn::ops::sigmoid(&x.affine(SHARPNESS, 0.)?)?
    }

    fn slope(x: &Tensor, _: &Tensor) -> Result<Tensor> {
        // g + (x g (1 − g)) · 1.702
        let gate = sigmoid(&x.affine(SHARPNESS, 0.)?)?;
        let steep = ((x * &gate)? * gate.affine(-1., 1.)?)?;
        gate + steep.affine(SHARPNESS, 0.)?
    }
}
