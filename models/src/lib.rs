//! Architectures that people use, written with [`taper`]: each is one readable file, loads the checkpoints of its
//! original, and gives every tensor inside it by its field.

pub mod any;
pub mod clip;
mod config;
pub mod decoder;
pub mod generate;
pub mod gpt2;
pub mod llama;
pub mod mobilenet_v2;
pub mod past;
#[doc = include_str!("../docs/names.md")]
pub mod names {}
pub mod pretrained;
pub mod resnet;
pub mod shared;
pub mod vit;

pub use any::{AnyModel, Architecture, open};
pub use decoder::Decoder;
pub use generate::Generation;
pub use past::Past;
pub use pretrained::Pretrained;
