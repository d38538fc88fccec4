//! What every generated `…Taps` can do: show itself, and go to a file and back.

mod debug;
mod file;
mod visit;

pub use debug::debug;
pub use file::{SavedTaps, load, save};
pub use visit::Visitor;
