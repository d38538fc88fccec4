//! The messages of a SavedModel, as far as they are needed. They borrow from the file; unknown fields are passed by.

mod attr;
mod bundle;
mod function;
mod graph;
mod objects;
mod saved_model;
mod tensor;
mod wire;

pub(crate) use attr::{Attr, Attrs};
pub(crate) use bundle::{BundleEntry, BundleHeader, checkpoint_objects};
pub(crate) use function::{FunctionDef, OpDef};
pub(crate) use graph::NodeDef;
pub(crate) use objects::{ObjectGraph, ObjectKind};
pub(crate) use saved_model::{Info, MetaGraph, SavedModel, Signature};
pub(crate) use tensor::{Shape, TensorProto};
pub(crate) use wire::varint;
