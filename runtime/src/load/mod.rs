//! Loading: what generated loaders call, and strict loading of files.

mod construct;
mod gguf;
mod mmap;
pub mod sizes;
mod weights;

pub use construct::Load;
pub use gguf::Gguf;
pub(crate) use weights::{File, Holds, Kind};
pub use weights::{Stored, Weights};

pub(crate) use weights::quantized_tensor;

/// What generated loaders call.
pub(crate) mod private {
    pub use super::construct::*;
    pub use super::sizes;
}
