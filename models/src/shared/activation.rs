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
        }
    }
}
