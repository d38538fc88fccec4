//! What the integration tests share.

pub mod fixtures;
pub mod gradients;
pub mod interpreter;
pub mod originals;
pub mod parity;
pub mod programs;
pub mod rows;
