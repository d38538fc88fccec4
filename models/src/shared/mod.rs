//! What architectures have in common.

mod activation;
pub mod encoder;
mod heads;
mod mask;
mod patches;

pub use activation::Activation;

pub(crate) use heads::{head_width, merge_heads, split_heads};
pub(crate) use mask::{causal_mask, is_padding, padding_mask};
pub(crate) use patches::{Patches, as_tokens, height_and_width, with_class};
