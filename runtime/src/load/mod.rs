//! Loading: what generated loaders call, and strict loading of files.

mod construct;
mod mmap;
pub mod sizes;
mod weights;

pub use construct::Load;
pub(crate) use mmap::map as map_file;
pub use weights::Weights;

/// What generated loaders call.
pub(crate) mod private {
    pub use super::construct::*;
    pub use super::sizes;
}
