//! Layers of candle-nn that compute by [`ops`]: the same weights, names in files and configurations, and the values
//! within rounding.
//!
//! | here | faster on the CPU | and |
//! |---|---|---|
//! | [`Linear`] | by [`ops::linear`] | |
//! | [`Conv2d`] | by [`ops::conv2d`] | |
//! | [`BatchNorm`] | in evaluation, by [`ops::batch_norm`] | |
//! | [`LayerNorm`] | with a bias, by [`ops::layer_norm`] | has gradients in a plain `forward` too |
//! | [`RmsNorm`] | by [`ops::rms_norm`] | has gradients in a plain `forward` too |
//!
//! Each is made of candle's own, and dereferences to it for everything but its forward pass. They are leaves: a field of a
//! model like any other layer.
//!
//! ```
//! use taper::candle_core::{DType, Device, Result, Tensor};
//! use taper::candle_nn::{Conv2dConfig, Module, VarBuilder};
//! use taper::layers::{Conv2d, conv2d};
//! use taper::{Model, forward};
//!
//! #[derive(Model)]
//! pub struct Net {
//!     #[load(conv2d(3, 6, 3, Conv2dConfig { groups: 3, ..Conv2dConfig::default() }))]
//!     pub conv: Conv2d,
//! }
//!
//! #[forward]
//! impl Net {
//!     pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
//!         self.conv.forward(x)?.relu()
//!     }
//! }
//!
//! let net = Net::load(VarBuilder::zeros(DType::F32, &Device::Cpu))?;
//! let (_, taps) = net.forward_with_taps(&Tensor::ones((1, 3, 5, 5), DType::F32, &Device::Cpu)?)?;
//! assert_eq!(taps.conv.dims(), [1, 6, 3, 3]);
//! assert_eq!(net.conv.config().groups, 3);
//! # Ok::<(), taper::candle_core::Error>(())
//! ```

use std::ops::Deref;

use candle_core::{Result, Tensor};
use candle_nn::{BatchNormConfig, Conv2dConfig, LayerNormConfig, Module, ModuleT, VarBuilder};

use crate::ops;

macro_rules! layers {
    ($($(#[$doc:meta])* $layer:ident)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $layer(candle_nn::$layer);

        impl From<candle_nn::$layer> for $layer {
            fn from(layer: candle_nn::$layer) -> Self {
                $layer(layer)
            }
        }

        impl Deref for $layer {
            type Target = candle_nn::$layer;

            fn deref(&self) -> &candle_nn::$layer {
                &self.0
            }
        }
    )+};
}

layers! {
    /// [`candle_nn::Linear`], computed by [`ops::linear`].
    Linear
    /// [`candle_nn::Conv2d`], computed by [`ops::conv2d`]. The choice of an algorithm of cuDNN is not passed on.
    Conv2d
    /// [`candle_nn::BatchNorm`], computed by [`ops::batch_norm`] in evaluation. Training is candle's.
    BatchNorm
    /// [`candle_nn::LayerNorm`], computed by [`ops::layer_norm`] if it has a bias and removes the mean.
    LayerNorm
    /// [`candle_nn::RmsNorm`], computed by [`ops::rms_norm`].
    RmsNorm
}

impl Linear {
    /// A layer of a weight, `[out, in]` in any layout, and a bias, `[out]`, if there is one.
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Self {
        Linear(candle_nn::Linear::new(weight, bias))
    }
}

impl Module for Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::linear(x, self.weight(), self.bias())
    }
}

impl Module for Conv2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::conv2d(x, self.weight(), self.bias(), self.config().into())
    }
}

impl ModuleT for BatchNorm {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match self.weight_and_bias() {
            Some((weight, bias)) if !train => {
                // They are variables, of which training makes new ones, but not by a gradient.
                let (mean, var) = (self.running_mean().detach(), self.running_var().detach());
                ops::batch_norm(x, &mean, &var, weight, bias, self.eps())
            }
            _ => self.0.forward_t(x, train),
        }
    }
}

impl Module for LayerNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self.bias() {
            Some(bias) if self.remove_mean() => {
                ops::layer_norm(&x.contiguous()?, self.weight(), bias, self.eps() as f32)
            }
            _ => self.0.forward(x),
        }
    }
}

impl Module for RmsNorm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::rms_norm(&x.contiguous()?, self.weight(), self.eps() as f32)
    }
}

/// A linear layer, loaded as [`candle_nn::linear()`] does.
///
/// # Errors
/// Weights that are missing or of another shape.
pub fn linear(input: usize, output: usize, vb: VarBuilder) -> Result<Linear> {
    candle_nn::linear(input, output, vb).map(Linear)
}

/// A linear layer without a bias, loaded as [`candle_nn::linear_no_bias`] does.
///
/// # Errors
/// A weight that is missing or of another shape.
pub fn linear_no_bias(input: usize, output: usize, vb: VarBuilder) -> Result<Linear> {
    candle_nn::linear_no_bias(input, output, vb).map(Linear)
}

/// A linear layer that has a bias if `bias`, loaded as [`candle_nn::linear_b`] does.
///
/// # Errors
/// Weights that are missing or of another shape.
pub fn linear_b(input: usize, output: usize, bias: bool, vb: VarBuilder) -> Result<Linear> {
    candle_nn::linear_b(input, output, bias, vb).map(Linear)
}

/// A convolution with a square kernel, loaded as [`candle_nn::conv2d`] does.
///
/// # Errors
/// Weights that are missing or of another shape.
pub fn conv2d(input: usize, output: usize, kernel: usize, config: Conv2dConfig, vb: VarBuilder) -> Result<Conv2d> {
    candle_nn::conv2d(input, output, kernel, config, vb).map(Conv2d)
}

/// A convolution without a bias, loaded as [`candle_nn::conv2d_no_bias`] does.
///
/// # Errors
/// A weight that is missing or of another shape.
pub fn conv2d_no_bias(
    input: usize,
    output: usize,
    kernel: usize,
    config: Conv2dConfig,
    vb: VarBuilder,
) -> Result<Conv2d> {
    candle_nn::conv2d_no_bias(input, output, kernel, config, vb).map(Conv2d)
}

/// A batch norm, loaded as [`candle_nn::batch_norm()`] does.
///
/// # Errors
/// Weights or statistics that are missing or of another shape, an epsilon below zero.
pub fn batch_norm(channels: usize, config: impl Into<BatchNormConfig>, vb: VarBuilder) -> Result<BatchNorm> {
    candle_nn::batch_norm(channels, config, vb).map(BatchNorm)
}

/// A layer norm, loaded as [`candle_nn::layer_norm()`] does.
///
/// # Errors
/// Weights that are missing or of another shape.
pub fn layer_norm(width: usize, config: impl Into<LayerNormConfig>, vb: VarBuilder) -> Result<LayerNorm> {
    candle_nn::layer_norm(width, config, vb).map(LayerNorm)
}

/// A root-mean-square norm, loaded as [`candle_nn::rms_norm`] does.
///
/// # Errors
/// A weight that is missing or of another shape.
pub fn rms_norm(width: usize, eps: f64, vb: VarBuilder) -> Result<RmsNorm> {
    candle_nn::rms_norm(width, eps, vb).map(RmsNorm)
}

#[cfg(test)]
mod tests;
