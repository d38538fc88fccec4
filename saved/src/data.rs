//! What flows between nodes: tensors, and lists of tensors.

use std::sync::Arc;

use candle_core::Tensor;

use crate::{Error, Result};

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    Tensor(Tensor),
    List(List),
}

/// Tensors by place, as loops read and write them. A place that nothing was written to has none.
#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(crate) items: Arc<Vec<Option<Tensor>>>,
    /// The sizes of one, as far as they are known: -1 for one that is not.
    pub(crate) shape: Option<Arc<[i64]>>,
}

impl Data {
    pub(crate) fn tensor(&self) -> Result<&Tensor> {
        match self {
            Data::Tensor(tensor) => Ok(tensor),
            Data::List(_) => Err(Error::Msg("a list stands where a tensor belongs".to_owned())),
        }
    }

    pub(crate) fn list(&self) -> Result<&List> {
        match self {
            Data::List(list) => Ok(list),
            Data::Tensor(_) => Err(Error::Msg("a tensor stands where a list belongs".to_owned())),
        }
    }

    /// Whether it is on the autograd graph.
    pub(crate) fn is_tracked(&self) -> bool {
        match self {
            Data::Tensor(tensor) => tensor.track_op(),
            Data::List(list) => list.items.iter().flatten().any(Tensor::track_op),
        }
    }
}
