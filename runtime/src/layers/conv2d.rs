use candle_core::{Module, Result, Tensor};
use candle_nn::{Conv2dConfig, VarBuilder};

use crate::ops;

/// A convolution of images, by [`ops::conv2d`]: candle-nn's [`Conv2d`](candle_nn::Conv2d), many times as fast where the
/// channels are divided into groups, and with gradients for images of any size. PyTorch's `nn.Conv2d`.
///
/// ```
/// use taper::candle_core::{DType, Device, Module, Tensor};
/// use taper::candle_nn::{Conv2dConfig, VarBuilder};
/// use taper::layers::{Conv2d, conv2d};
///
/// let halved = Conv2dConfig { stride: 2, padding: 1, ..Conv2dConfig::default() };
/// let conv = conv2d(3, 8, 3, halved, VarBuilder::zeros(DType::F32, &Device::Cpu))?;
/// let images = Tensor::zeros((1, 3, 9, 12), DType::F32, &Device::Cpu)?;
/// assert_eq!(conv.forward(&images)?.dims(), [1, 8, 5, 6]);
///
/// // What candle-nn made.
/// let same = Conv2d::from(taper::candle_nn::Conv2d::new(conv.weight().clone(), None, halved));
/// assert_eq!(same.config().stride, 2);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Conv2d(candle_nn::Conv2d);

impl Conv2d {
    /// `weight`: `[output channel, channel / groups, height, width]`; `bias`: `[output channel]`.
    pub fn new(weight: Tensor, bias: Option<Tensor>, config: Conv2dConfig) -> Self {
        Self(candle_nn::Conv2d::new(weight, bias, config))
    }

    /// The kernels: `[output channel, channel / groups, height, width]`.
    pub fn weight(&self) -> &Tensor {
        self.0.weight()
    }

    /// What is added to each output channel: `[output channel]`.
    pub fn bias(&self) -> Option<&Tensor> {
        self.0.bias()
    }

    /// How the kernels are laid on the images.
    pub fn config(&self) -> &Conv2dConfig {
        self.0.config()
    }
}

impl From<candle_nn::Conv2d> for Conv2d {
    fn from(conv: candle_nn::Conv2d) -> Self {
        Self(conv)
    }
}

impl Module for Conv2d {
    /// `x`: `[batch, channel, height, width]`, to `[batch, output channel, height, width]`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::conv2d(x, self.weight(), self.bias(), self.config().into())
    }
}

/// A convolution with a bias, of weights named `weight` and `bias`: [`candle_nn::conv2d`].
///
/// # Errors
/// Those of the builder.
pub fn conv2d(
    in_channels: usize,
    out_channels: usize,
    kernel_size: usize,
    config: Conv2dConfig,
    vb: VarBuilder,
) -> Result<Conv2d> {
    Ok(Conv2d(candle_nn::conv2d(in_channels, out_channels, kernel_size, config, vb)?))
}

/// A convolution without a bias, of a weight named `weight`: [`candle_nn::conv2d_no_bias`].
///
/// # Errors
/// Those of the builder.
pub fn conv2d_no_bias(
    in_channels: usize,
    out_channels: usize,
    kernel_size: usize,
    config: Conv2dConfig,
    vb: VarBuilder,
) -> Result<Conv2d> {
    Ok(Conv2d(candle_nn::conv2d_no_bias(in_channels, out_channels, kernel_size, config, vb)?))
}
