//! Architectures that people use, written with [`taper`]: each is one readable file, loads the checkpoints of its
//! original, and gives every tensor inside it by its field.

pub mod any;
pub mod bert;
pub mod clip;
mod config;
pub mod decoder;
pub mod generate;
pub mod gpt2;
#[cfg(feature = "hub")]
pub mod hub;
pub mod llama;
pub mod mobilenet_v2;
pub mod neox;
pub mod past;
pub mod pooling;
#[doc = include_str!("../docs/names.md")]
pub mod names {}
pub mod pretrained;
pub mod resnet;
pub mod shared;
pub mod source;
pub mod t5;
pub mod vit;

pub use any::{AnyModel, Architecture, open};
pub use decoder::Decoder;
pub use generate::Generation;
#[cfg(feature = "hub")]
pub use hub::open_hub;
pub use past::Past;
pub use pooling::Pooling;
pub use pretrained::Pretrained;
pub use source::Source;
