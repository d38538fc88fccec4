//! What architectures have in common.

mod activation;
pub mod attention;
pub mod encoder;
mod head;
mod heads;
mod labels;
mod mask;
mod patches;
mod rotary;
mod tokens;

pub use activation::Activation;
pub use rotary::{Rotary, RotaryScaling};

pub(crate) use head::unembedding;
pub(crate) use heads::{head_width, merge_heads, split_heads};
pub(crate) use labels::two_labels;
pub(crate) use mask::{causal_mask, is_padding, padding_mask};
pub(crate) use patches::{Patches, as_tokens, height_and_width, with_class};
pub(crate) use rotary::{RotaryFields, rotate};
pub(crate) use tokens::{batch_and_len, check_length, check_types, positions};
