//! What architectures have in common.

mod activation;
mod head;
mod heads;
mod mask;
mod rotary;

pub use activation::Activation;
pub use rotary::{Rotary, RotaryScaling};

pub(crate) use head::unembedding;
pub(crate) use heads::{merge_heads, split_heads};
pub(crate) use mask::causal_mask;
pub(crate) use rotary::{RotaryFields, rotate};
