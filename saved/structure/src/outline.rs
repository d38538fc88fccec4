//! A graph as it is read when nothing of it is to be computed.

use crate::checkpoint::Checkpoint;
use crate::dtype::Type;
use crate::graph::Engine;
use crate::operations::{check, is_supported};
use crate::proto::{Attrs, TensorProto};
use crate::slices::Slice;
use crate::{Error, Result};

/// Knows which operations could be computed, told what they are told, and reads no weights and no constants.
#[derive(Clone, Copy, Debug)]
pub struct Outline;

impl Engine for Outline {
    type Tensor = ();
    type Operation = ();
    const WEIGHTS: bool = false;

    fn records(&self) -> bool {
        true
    }

    fn weight(&self, _: Option<(&Checkpoint, &str)>) -> Result<()> {
        Ok(())
    }

    fn part(&self, _: &Checkpoint, _: &str, _: &Slice) -> Result<()> {
        Ok(())
    }

    fn constant(&self, proto: &TensorProto<'_>) -> Result<()> {
        let ty = Type::of(proto.dtype);
        match ty.held_as() {
            Some(_) => Ok(()),
            None => Err(Error::Msg(format!("values of type {ty} have no tensor of candle"))),
        }
    }

    fn operation(&self, op: &str, attrs: &Attrs<'_>) -> Result<()> {
        match is_supported(op) {
            true => check(op, attrs),
            false => Err(Error::Msg("the operation is not supported".to_owned())),
        }
    }
}
