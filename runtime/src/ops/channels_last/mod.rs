//! Operations on images whose channels come last, `[batch, height, width, channel]`, as TensorFlow has them.
//!
//! Turning such an image around for an operation of the other layout takes longer than many an operation. These compute
//! where the image lies.

mod batch_norm;
mod conv2d;
mod depthwise;

pub use batch_norm::batch_norm;
pub use conv2d::conv2d;
pub use depthwise::depthwise_conv2d;

use candle_core::{Result, Tensor};

/// `[batch, height, width, channel]` as `[batch, channel, height, width]`.
fn channels_first(x: &Tensor) -> Result<Tensor> {
    x.permute((0, 3, 1, 2))?.contiguous()
}

/// The other way.
fn channels_last(x: &Tensor) -> Result<Tensor> {
    x.permute((0, 2, 3, 1))?.contiguous()
}
