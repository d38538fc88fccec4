use candle_core::{Result, Tensor};
use serde::Deserialize;
use taper::ops;

/// The function between the layers of an MLP, by its name in a `config.json` of Hugging Face.
///
/// It is no layer: its value is a tap of the MLP that it is in, `act`.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use taper_models::shared::Activation;
///
/// let act: Activation = serde_json::from_str("\"relu\"").unwrap();
/// let x = Tensor::new(&[-1f32, 2.], &Device::Cpu)?;
/// assert_eq!(act.of(&x)?.to_vec1::<f32>()?, [0., 2.]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// x·Φ(x), Φ the distribution function of the normal distribution: `F.gelu(x)`.
    #[serde(alias = "gelu_python")]
    Gelu,
    /// The same with Φ approximated by tanh: `F.gelu(x, approximate="tanh")`.
    #[serde(
        rename = "gelu_new",
        alias = "gelu_pytorch_tanh",
        alias = "gelu_python_tanh",
        alias = "gelu_fast",
        alias = "gelu_accurate"
    )]
    GeluTanh,
    /// x·σ(1.702·x), as in CLIP.
    QuickGelu,
    /// x·σ(x): `F.silu(x)`.
    #[serde(alias = "swish")]
    Silu,
    /// max(x, 0).
    Relu,
    /// tanh(x).
    Tanh,
    /// 1 / (1 + exp(−x)): `F.sigmoid(x)`.
    Sigmoid,
    /// [`Gelu`](Self::Gelu), kept between −10 and 10.
    #[serde(rename = "gelu_10")]
    Gelu10,
    /// x·relu6(x + 3) / 6: `F.hardswish(x)`.
    #[serde(rename = "hardswish")]
    HardSwish,
    /// x above 0, a hundredth of it below: `F.leaky_relu(x)`.
    LeakyRelu,
    /// x itself.
    Linear,
    /// x·tanh(softplus(x)): `F.mish(x)`.
    Mish,
    /// The square of max(x, 0).
    Relu2,
    /// x, kept between 0 and 6: `F.relu6(x)`.
    Relu6,
}

impl Activation {
    /// The function of every element of `x`.
    ///
    /// # Errors
    /// Those of candle: a tensor that does not hold floats.
    pub fn of(self, x: &Tensor) -> Result<Tensor> {
        match self {
            Activation::Gelu => ops::gelu(x),
            Activation::GeluTanh => ops::gelu_tanh(x),
            Activation::QuickGelu => ops::quick_gelu(x),
            Activation::Silu => ops::silu(x),
            Activation::Relu => x.relu(),
            Activation::Tanh => ops::tanh(x),
            Activation::Sigmoid => ops::sigmoid(x),
            Activation::Gelu10 => ops::gelu(x)?.clamp(-10f64, 10f64),
            Activation::HardSwish => x * ((x + 3.0)?.clamp(0f64, 6f64)? / 6.0)?,
            Activation::LeakyRelu => x.relu()? - (x.neg()?.relu()? * 0.01)?,
            Activation::Linear => Ok(x.clone()),
            // The softplus, of large values too, whose exponential is none.
            Activation::Mish => x * ops::tanh(&(x.relu()? + (ops::exp(&x.abs()?.neg()?)? + 1.0)?.log()?)?)?,
            Activation::Relu2 => x.relu()?.sqr(),
            Activation::Relu6 => x.clamp(0f64, 6f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    const X: [f32; 9] = [-12., -3.5, -1., -0.25, 0.5, 2., 4., 7., 12.];

    /// The values and the gradients of torch 2.15's `F.hardswish` and so on at `X`.
    const PYTORCH: [(&str, [f32; 9], [f32; 9]); 8] = [
        (
            "gelu_10",
            [0., -0.0008143336, -0.1586553, -0.1003234, 0.3457312, 1.9545, 3.999874, 7.0, 10.0],
            [0., -0.002821714, -0.08331543, 0.3046267, 0.8674951, 1.085232, 1.000504, 1.0, 0.],
        ),
        (
            "hardswish",
            [0., 0., -0.3333333, -0.1145833, 0.2916667, 1.666667, 4.0, 7.0, 12.0],
            [0., 0., 0.1666667, 0.4166667, 0.6666667, 1.166667, 1.0, 1.0, 1.0],
        ),
        (
            "leaky_relu",
            [-0.12, -0.035, -0.01, -0.0025, 0.5, 2.0, 4.0, 7.0, 12.0],
            [0.01, 0.01, 0.01, 0.01, 1.0, 1.0, 1.0, 1.0, 1.0],
        ),
        ("linear", X, [1.; 9]),
        (
            "mish",
            [-7.373032e-05, -0.1040958, -0.3034014, -0.129927, 0.3752452, 1.943959, 3.997413, 6.999989, 12.0],
            [-6.758589e-05, -0.07276042, 0.05921673, 0.4398156, 0.8864244, 1.069318, 1.004433, 1.000022, 1.0],
        ),
        ("relu2", [0., 0., 0., 0., 0.25, 4.0, 16.0, 49.0, 144.0], [0., 0., 0., 0., 1.0, 4.0, 8.0, 14.0, 24.0]),
        ("relu6", [0., 0., 0., 0., 0.5, 2.0, 4.0, 6.0, 6.0], [0., 0., 0., 0., 1.0, 1.0, 1.0, 0., 0.]),
        (
            "sigmoid",
            [6.144174e-06, 0.02931223, 0.2689414, 0.4378235, 0.6224593, 0.880797, 0.9820138, 0.999089, 0.9999938],
            [
                6.144137e-06,
                0.02845302,
                0.1966119,
                0.2461341,
                0.2350037,
                0.1049936,
                0.01766273,
                0.0009101675,
                6.198845e-06,
            ],
        ),
    ];

    #[test]
    fn values_and_gradients_are_those_of_pytorch() -> Result<()> {
        for (name, values, gradients) in PYTORCH {
            let act: Activation = serde_json::from_str(&format!("\"{name}\"")).unwrap();
            let x = Var::new(&X, &Device::Cpu)?;
            let y = act.of(x.as_tensor())?;
            let gradient = y.sum_all()?.backward()?.get(&x).unwrap().to_vec1::<f32>()?;
            for (found, expected) in y.to_vec1::<f32>()?.iter().zip(&values).chain(gradient.iter().zip(&gradients)) {
                assert!((found - expected).abs() <= 2e-6 * (1.0 + expected.abs()), "{name}: {found} {expected}");
            }
        }
        Ok(())
    }

    /// Where an exponential is none any more.
    #[test]
    fn mish_of_a_large_number_is_the_number() -> Result<()> {
        let x = Var::new(&[200f32, -200.0], &Device::Cpu)?;
        let y = Activation::Mish.of(x.as_tensor())?;
        assert_eq!(y.to_vec1::<f32>()?, [200.0, 0.0]);
        assert_eq!(y.sum_all()?.backward()?.get(&x).unwrap().to_vec1::<f32>()?, [1.0, 0.0]);
        Ok(())
    }
}
