//! Layers as their owners know them.
//!
//! The scopes in a graph's names are numbered by TensorFlow: the layer `dense` may stand as `mlp_1/dense_1`, and `dense_1` as
//! `mlp_1/dense_1_2`. What a layer is called is told by the variables that are read in its scope.

mod aliases;
mod tree;

pub use aliases::{Aliases, BodyEnd, parts};
pub use tree::{Call, Layer, layers};
