//! Operations that models are written with.

/// Softmax over the last dimension: any shape to the same shape, each row of the last dimension summing to 1.
///
/// candle's own fused operation (PyTorch's `softmax(x, dim=-1)`); it drops gradients.
///
/// ```
/// # use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[[0f32, 0.], [1., 1.]], &Device::Cpu)?;
/// assert_eq!(taper::ops::softmax_last_dim(&x)?.to_vec2::<f32>()?, [[0.5, 0.5], [0.5, 0.5]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub use candle_nn::ops::softmax_last_dim;
