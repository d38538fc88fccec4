//! What architectures have in common.

mod activation;
pub mod attention;
pub mod blocks;
mod head;
mod heads;
mod labels;
mod mask;
pub mod mlp;
mod names;
mod patches;
mod pool;
mod rotary;
mod timm;
mod tokens;
pub mod vision;

pub use activation::Activation;
pub use rotary::{Rotary, RotaryScaling};

pub(crate) use head::{same, unembedding};
pub(crate) use heads::{head_width, merge_heads, split_heads};
pub(crate) use labels::two_labels;
pub(crate) use mask::{causal_mask, causal_padding_mask, is_padding, padding_mask};
pub(crate) use names::replaced;
pub(crate) use patches::{Patches, as_tokens, height_and_width, with_class};
pub(crate) use pool::max_pool;
pub(crate) use rotary::{RotaryFields, rotate};
pub(crate) use timm::Timm;
pub(crate) use tokens::{batch_and_len, check_length, check_types, positions};
