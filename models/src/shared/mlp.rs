//! The MLP of most transformers.

use candle_core::{Module, Result, Tensor};
use taper::layers::{Linear, linear};
use taper::{Model, forward};

use super::Activation;

/// What an [`Mlp`] is loaded by.
#[derive(Clone, Copy, Debug)]
pub struct MlpConfig {
    /// The width of the stream.
    pub width: usize,
    /// The width inside.
    pub inner: usize,
    /// The function between the layers.
    pub activation: Activation,
    /// The names of the two layers in the file.
    pub names: [&'static str; 2],
}

/// Two layers with an activation between them, for each token by itself.
#[derive(Clone, Debug, Model)]
#[model(config = MlpConfig)]
pub struct Mlp {
    /// Before the activation: [batch, token, inner].
    #[load(expr = linear(cfg.width, cfg.inner, vb.pp(cfg.names[0]))?)]
    pub up: Linear,
    /// Back to the stream: [batch, token, channel].
    #[load(expr = linear(cfg.inner, cfg.width, vb.pp(cfg.names[1]))?)]
    pub down: Linear,
    /// What `act` is by.
    #[load(value = cfg.activation)]
    pub activation: Activation,
}

#[forward]
impl Mlp {
    /// `x`: [batch, token, channel] to the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        /// After the activation: [batch, token, inner].
        #[tap]
        let act = self.activation.of(&self.up.forward(x)?)?;
        self.down.forward(&act)
    }
}
