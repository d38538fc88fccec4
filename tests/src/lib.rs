//! What the integration tests share.

pub mod interpreter;
pub mod parity;
pub mod programs;
