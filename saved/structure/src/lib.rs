//! Reads the structure of a TensorFlow SavedModel: the graph of a signature, its tensors by name, and the layers that own
//! them. What computes is somebody else's: [`graph::Engine`] says what weights, constants and operations become.
//!
//! It is the part of `taper-saved` that knows no candle, so that a macro can read a file while a crate is compiled.

pub mod check;
pub mod checkpoint;
mod crc;
pub mod dtype;
mod error;
pub mod graph;
pub mod layers;
pub mod limits;
pub mod open;
pub mod operations;
mod outline;
pub mod proto;
pub mod record;
pub mod signatures;
pub mod slices;
mod table;
pub mod tensors;

pub use error::{Error, Result};
pub use outline::Outline;
