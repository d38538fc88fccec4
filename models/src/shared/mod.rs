//! What architectures have in common.

mod activation;
mod heads;
mod mask;

pub use activation::Activation;

pub(crate) use heads::{merge_heads, split_heads};
pub(crate) use mask::causal_mask;
