//! Graphs whose values are candle's tensors and whose operations are those of this crate.

use candle_core::{Device, Tensor};
use taper_saved_structure::checkpoint::Checkpoint;
use taper_saved_structure::graph::{self, Engine};
use taper_saved_structure::operations::check;
use taper_saved_structure::slices::Slice;
use taper_saved_structure::{Error, Result};

pub(crate) use graph::{Body, Input, Part, Value};

use crate::ops::{self, Compute};
use crate::proto::{Attrs, TensorProto};
use crate::{values, weights};

/// What computes a graph.
#[derive(Debug)]
pub(crate) struct Candle {
    /// Where weights and constants are.
    pub(crate) device: Device,
    /// Whether what nodes do is written down, to be compared.
    pub(crate) records: bool,
}

pub(crate) type Graph = graph::Graph<Candle>;
pub(crate) type Node = graph::Node<Candle>;
pub(crate) type What = graph::What<Candle>;

impl Engine for Candle {
    type Tensor = Tensor;
    type Operation = Compute;

    fn records(&self) -> bool {
        self.records
    }

    fn weight(&self, from: Option<(&Checkpoint, &str)>) -> Result<Tensor> {
        let (checkpoint, key) = from.ok_or_else(|| Error::Msg("a weight has no checkpoint".to_owned()))?;
        self.put(weights::tensor(checkpoint, key)?)
    }

    fn part(&self, checkpoint: &Checkpoint, key: &str, part: &Slice) -> Result<Tensor> {
        self.put(weights::part(checkpoint, key, part)?)
    }

    fn constant(&self, proto: &TensorProto<'_>) -> Result<Tensor> {
        self.put(values::constant(proto).map_err(Error::wrap)?)
    }

    fn operation(&self, op: &str, attrs: &Attrs<'_>) -> Result<Compute> {
        let made = ops::make(op, attrs).ok_or_else(|| Error::Msg("the operation is not supported".to_owned()))?;
        // A macro, which knows no candle, says the same.
        check(op, attrs)?;
        made.map_err(Error::wrap)
    }
}

impl Candle {
    /// Moves what was read to the device.
    fn put(&self, read: Tensor) -> Result<Tensor> {
        read.to_device(&self.device).map_err(Error::wrap)
    }
}
