//! Architectures that people use, written with [`taper`]: each is one readable file, loads the checkpoints of its
//! original, and gives every tensor inside it by its field.

pub mod gpt2;
pub mod resnet;
