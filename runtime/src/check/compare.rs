//! Values, bit by bit.

use std::any::Any;

use candle_core::{DType, Tensor};

use crate::bundle;
use crate::run::Fingerprint;

/// The tensors of a value, and a digest of the content of each.
#[derive(Clone)]
pub(super) struct Bits {
    /// `None` for a value of an unknown type.
    parts: Option<Vec<Part>>,
    pub(super) tensors: Vec<Tensor>,
}

/// Shape, dtype and content of a tensor.
#[derive(Clone, PartialEq, Eq)]
struct Part {
    dims: Vec<usize>,
    dtype: DType,
    content: Option<Fingerprint>,
}

impl Bits {
    pub(super) fn of(value: &dyn Any) -> Self {
        let tensors = bundle::tensors("", value);
        let part = |t: &Tensor| Part { dims: t.dims().to_vec(), dtype: t.dtype(), content: Fingerprint::of(t).ok() };
        Bits {
            parts: tensors.as_ref().map(|tensors| tensors.iter().map(|(_, t)| part(t)).collect()),
            tensors: tensors.unwrap_or_default().into_iter().map(|(_, t)| t.detach()).collect(),
        }
    }

    pub(super) fn is_unknown(&self) -> bool {
        self.parts.is_none()
    }

    /// Whether shapes, dtypes and bits are equal. Values of unknown types are taken to be.
    pub(super) fn same(&self, other: &Bits) -> bool {
        self.parts == other.parts
    }

    /// Whether there is a number that could change.
    pub(super) fn has_floats(&self) -> bool {
        self.tensors.iter().any(|t| t.dtype().is_float() && t.elem_count() > 0)
    }
}
