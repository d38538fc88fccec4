use candle_core::{Result, Tensor};

use super::{Elementwise, Function, elementwise, math, sigmoid};

/// The sigmoid linear unit of each element, x / (1 + e⁻ˣ), also called swish: any shape to the same shape.
///
/// PyTorch's `F.silu(x)`; −∞ gives NaN, as it does there. In `f32` on the CPU within 3 ulp where the result is no less than
/// 1e-35; elsewhere candle's own [`Tensor::silu`].
///
/// ```
/// # use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[0f32, 20., -1.], &Device::Cpu)?;
/// assert_eq!(taper::ops::silu(&x)?.to_vec1::<f32>()?, [0., 20., -0.26894143]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// A type that is not of floating-point numbers.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    elementwise(Silu, x)
}

#[derive(Clone, Copy)]
struct Silu;

impl Function for Silu {
    #[inline(always)]
    fn at<const FMA: bool>(self, x: f32) -> f32 {
        math::gated::<FMA>(x, x)
    }
}

impl Elementwise for Silu {
    const NAME: &'static str = "silu";

    fn candle(x: &Tensor) -> Result<Tensor> {
        x.silu()
    }

    fn slope(x: &Tensor, _: &Tensor) -> Result<Tensor> {
        // g + x g (1 − g)
        let gate = sigmoid(x)?;
        let steep = ((x * &gate)? * gate.affine(-1., 1.)?)?;
        gate + steep
    }
}
