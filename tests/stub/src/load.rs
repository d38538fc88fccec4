//! The runtime's loading, without files.

#[path = "../../../runtime/src/load/construct.rs"]
mod construct;
#[path = "../../../runtime/src/load/sizes.rs"]
pub mod sizes;

pub use construct::Load;

pub(crate) mod private {
    pub use super::construct::*;
    pub use super::sizes;
}
