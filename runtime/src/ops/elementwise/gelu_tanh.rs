use std::f64::consts::{FRAC_2_SQRT_PI, SQRT_2};

use candle_core::{Result, Tensor};

use super::{Elementwise, Function, elementwise, math, sigmoid};

/// GELU by its tanh approximation, ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))), for each element: any shape to the same shape.
///
/// PyTorch's `F.gelu(x, approximate="tanh")`, Hugging Face's `gelu_new` and `gelu_pytorch_tanh`; after Hendrycks and Gimpel,
/// [Gaussian Error Linear Units](https://arxiv.org/abs/1606.08415). In `f32` on the CPU within 2e-7 + 2e-7 · |value|;
/// elsewhere candle's own [`Tensor::gelu`]. −∞ gives NaN, as it does there.
///
/// ```
/// # use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[0f32, 20., -1.], &Device::Cpu)?;
/// assert_eq!(taper::ops::gelu_tanh(&x)?.to_vec1::<f32>()?, [0., 20., -0.158808]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// A type that is not of floating-point numbers.
pub fn gelu_tanh(x: &Tensor) -> Result<Tensor> {
    elementwise(GeluTanh, x)
}

#[derive(Clone, Copy)]
struct GeluTanh;

/// ½ (1 + tanh(u)) is the sigmoid of 2u: of `SCALE` (x + `CUBE` x³).
const SCALE: f64 = SQRT_2 * FRAC_2_SQRT_PI;
const CUBE: f64 = 0.044715;

impl Function for GeluTanh {
    #[inline(always)]
    fn at<const FMA: bool>(self, x: f32) -> f32 {
        let cube = CUBE as f32 * x * (x * x);
        math::gated::<FMA>(x, SCALE as f32 * (x + cube))
    }
}

impl Elementwise for GeluTanh {
    const NAME: &'static str = "gelu_tanh";

    fn candle(x: &Tensor) -> Result<Tensor> {
        x.gelu()
    }

    fn slope(x: &Tensor, _: &Tensor) -> Result<Tensor> {
        // g + x g (1 − g) · SCALE (1 + 3 CUBE x²)
        let square = x.sqr()?;
        let gate = sigmoid(&(x * square.affine(SCALE * CUBE, SCALE)?)?)?;
        let steep = ((x * &gate)? * gate.affine(-1., 1.)?)?;
        gate + (steep * square.affine(3. * SCALE * CUBE, SCALE)?)?
    }
}
