//! Small functions of tensors that reading a model's insides asks for and candle lacks: to be used after a `capture`, or
//! in its `.map`, so that only the result is kept.
//!
//! ```
//! use taper::candle_core::{Device, Tensor};
//! use taper::tensors::{diagonal, entropy, top_k};
//!
//! // An attention pattern, [head, query, key]: the first head looks at the token before, the second everywhere.
//! let pattern = Tensor::new(
//!     &[[[1f32, 0., 0.], [1., 0., 0.], [0., 1., 0.]], [[1., 0., 0.], [0.5, 0.5, 0.], [0.25, 0.25, 0.5]]],
//!     &Device::Cpu,
//! )?;
//! let previous = diagonal(&pattern, -1)?.mean(1)?;
//! assert_eq!(previous.to_vec1::<f32>()?, [1., 0.375]);
//! assert_eq!(top_k(&previous, 1)?.1.to_vec1::<u32>()?, [0]);
//! assert_eq!(entropy(&pattern)?.dims(), [2, 3]);
//! # Ok::<(), taper::candle_core::Error>(())
//! ```
//!
//! All but the indices of [`top_k`] are differentiable. f16 and bf16 are computed in f32 and rounded once, at the end, as
//! everything else comes in the dtype that was given.

mod diagonal;
mod distributions;
mod mask;
mod similarity;
mod tokens;
mod top_k;

pub use diagonal::diagonal;
pub use distributions::{entropy, kl_divergence};
pub use mask::{masked_fill, masked_mean};
pub use similarity::cosine_similarity;
pub use tokens::{log_probs, logit_diff};
pub use top_k::top_k;
