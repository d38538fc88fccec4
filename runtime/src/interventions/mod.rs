//! The usual interventions: functions that make what a run's [`edit`](crate::Run::edit) and
//! [`edit_with`](crate::Run::edit_with) take; [`changing`](crate::changing) shows them in use.
//!
//! | on the whole value | |
//! |---|---|
//! | [`zero`], [`mean`], [`replace`] | ablation |
//! | [`scale`], [`add`], [`clamp`] | stronger, weaker, steered, bounded |
//! | [`project_out`], [`project_onto`] | along a direction |
//! | [`noise`], [`resample`], [`shuffle`] | noise, and other rows of the batch |
//!
//! [`at`] does any of them, or a closure of your own, to a head, a position, a row. With one operand a site, for
//! `edit_with`: [`patch`] and [`at_with`] for a slice, [`interpolate`] for the way there, and [`with`] for any of those
//! above that takes a tensor.
//!
//! ```
//! use taper::candle_core::{D, DType, Device, Tensor};
//! use taper::interventions::{add, at, patch, scale, zero};
//!
//! // An attention pattern: [batch, head, query, key].
//! let pattern = Tensor::ones((2, 12, 5, 5), DType::F32, &Device::Cpu)?;
//! let without_head_3 = at(1, 3, zero())(&pattern)?;
//! let weaker_last_query = at(1, [0, 7], at(2, -1, scale(0.5)))(&pattern)?;
//! let head_3_back = patch(1, 3)(&without_head_3, &pattern)?;
//! # assert_eq!(without_head_3.sum_all()?.to_scalar::<f32>()?, 550.);
//! # assert_eq!(weaker_last_query.sum_all()?.to_scalar::<f32>()?, 590.);
//! # assert_eq!(head_3_back.sum_all()?.to_scalar::<f32>()?, 600.);
//!
//! // The stream: [batch, token, channel].
//! let stream = Tensor::zeros((2, 5, 8), DType::F32, &Device::Cpu)?;
//! let direction = Tensor::ones(8, DType::F32, &Device::Cpu)?;
//! let steered = at(1, 1.., add(4., &direction))(&stream)?;
//! # assert_eq!(steered.sum(D::Minus1)?.to_vec2::<f32>()?, [[0., 32., 32., 32., 32.]; 2]);
//! # Ok::<(), taper::candle_core::Error>(())
//! ```
//!
//! What holds for all of them:
//!
//! - Shape, dtype and device stay. An operand of another dtype or device is an error, never converted.
//! - What changes nothing returns the very same tensor: [`add`] of 0 times a vector, [`scale`] by 1, an empty slice.
//!   What a slice leaves alone is the same bit for bit.
//! - The order in memory stays, since candle picks kernels by it: contiguous stays contiguous, transposed stays transposed.
//! - They stay on the autograd graph, the operands too: a `Var` that steers gets its gradient.
//! - f16 and bf16 are computed in f32 and rounded once, as PyTorch does.

mod direction;
mod indices;
mod operand;
mod random;
mod replace;
mod scale;
mod slice;

pub use direction::{project_onto, project_out};
pub use indices::Indices;
pub use operand::with;
pub use random::{noise, resample, shuffle};
pub use replace::{interpolate, mean, replace, zero};
pub use scale::{add, clamp, scale};
pub use slice::{at, at_with, patch};
