//! The messages of a SavedModel, as far as they are needed. They borrow from the file; unknown fields are passed by.

// Fields are called as in TensorFlow's `.proto` files, which say what they are.
#![allow(missing_docs)]

mod attr;
mod bundle;
mod function;
mod graph;
mod objects;
mod saved_model;
mod tensor;
mod wire;

pub use attr::{Attr, Attrs};
pub use bundle::{BundleEntry, BundleHeader, checkpoint_objects};
pub(crate) use function::Parameter;
pub use function::{FunctionDef, OpDef};
pub use graph::{GraphDef, NodeDef};
pub use objects::{Object, ObjectGraph, ObjectKind};
pub use saved_model::{Info, MetaGraph, SavedModel, Signature};
pub use tensor::{Shape, TensorProto};
pub(crate) use wire::varint;
