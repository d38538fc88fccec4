//! What flows between nodes: tensors, and lists of tensors.

use std::sync::Arc;

use candle_core::{Device, Tensor};

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

    /// The tensors in it.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = &Tensor> {
        let (tensor, items) = match self {
            Data::Tensor(tensor) => (Some(tensor), &[][..]),
            Data::List(list) => (None, &**list.items),
        };
        tensor.into_iter().chain(items.iter().flatten())
    }

    /// The same on a device.
    pub(crate) fn to_device(&self, device: &Device) -> Result<Self> {
        Ok(match self {
            Data::Tensor(tensor) => Data::Tensor(tensor.to_device(device)?),
            Data::List(List { items, shape }) => {
                let moved = |item: &Option<Tensor>| item.as_ref().map(|item| item.to_device(device)).transpose();
                let items = items.iter().map(moved).collect::<Result<Vec<_>>>()?;
                Data::List(List { items: Arc::new(items), shape: shape.clone() })
            }
        })
    }

    /// Whether it is on the autograd graph.
    pub(crate) fn is_tracked(&self) -> bool {
        self.tensors().any(Tensor::track_op)
    }
}
