//! The network: a small residual convolutional net for images of 1x8x8.

use candle_core::{Module, Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Linear, VarBuilder, conv2d, linear};
use taper::{Model, forward};

/// Channels of the first half of the network, which works on 8x8 maps.
const NARROW: usize = 16;
/// Channels of the second half, which works on 4x4 maps.
const WIDE: usize = 32;
/// The digits 0 to 9.
pub(crate) const CLASSES: usize = 10;

/// Two convolutions whose result is added to their input: `relu(x + conv2(relu(conv1(x))))`.
#[derive(Model)]
pub(crate) struct Residual<const CHANNELS: usize> {
    /// What the block looks for in its input.
    #[load(conv3x3(CHANNELS, CHANNELS, 1))]
    pub(crate) conv1: Conv2d,
    /// What the block changes about its input.
    #[load(conv3x3(CHANNELS, CHANNELS, 1))]
    pub(crate) conv2: Conv2d,
}

#[forward]
impl<const CHANNELS: usize> Residual<CHANNELS> {
    /// Maps `[n, CHANNELS, height, width]` in, as many out.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        /// What the block found.
        #[tap]
        let relu = self.conv1.forward(x)?.relu()?;
        let change = self.conv2.forward(&relu)?;
        /// The input with the change.
        #[tap]
        let sum = (x + change)?;
        sum.relu()
    }
}

/// The whole network: images `[n, 1, 8, 8]` in, one score per digit `[n, 10]` out.
#[derive(Model)]
#[model(sequential)]
pub(crate) struct DigitNet {
    #[load(conv3x3(1, NARROW, 1))]
    #[then(stem_relu = Tensor::relu)]
    pub(crate) stem: Conv2d,
    pub(crate) block1: Residual<NARROW>,
    #[load(conv3x3(NARROW, WIDE, 2))]
    #[then(down_relu = Tensor::relu)]
    pub(crate) down: Conv2d,
    #[then(flat = |x| x.flatten_from(1))]
    pub(crate) block2: Residual<WIDE>,
    #[load(linear(WIDE * 4 * 4, CLASSES))]
    pub(crate) head: Linear,
}

/// A 3x3 convolution that divides height and width by `stride`.
fn conv3x3(inputs: usize, outputs: usize, stride: usize, vb: VarBuilder) -> Result<Conv2d> {
    conv2d(inputs, outputs, 3, Conv2dConfig { padding: 1, stride, ..Default::default() }, vb)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::VarMap;

    use super::*;

    #[test]
    fn the_model_checks_itself() -> Result<()> {
        let vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
        let x = Tensor::rand(0f32, 1., (2, 1, 8, 8), &Device::Cpu)?;
        taper::check(&DigitNet::load(vb)?, &x)?;
        Ok(())
    }
}
