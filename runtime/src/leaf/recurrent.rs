//! The recurrent leaves: their values are states.

use std::any::Any;

use candle_core::{Result, Tensor};
use candle_nn::rnn::{GRUState, LSTMState};
use candle_nn::{GRU, LSTM, RNN};

use super::info::LeafInfo;
use super::{IsLeaf, call, tapped_leaf};
use crate::pass::At;
use crate::site::{Builder, Site};
use crate::tapped::Tapped;

tapped_leaf! {
    [] LSTM: LSTMState;
    [] GRU: GRUState;
}

/// Site of a recurrent leaf that is called by `step`.
pub type StepSites<R> = Site<<R as RNN>::State>;
/// Site of a recurrent leaf that is called by `seq` or `seq_init`.
pub type SeqSites<R> = Site<Vec<<R as RNN>::State>>;
/// Value of a recurrent leaf that is called by `step`: its state.
pub type StepTaps<R> = <R as RNN>::State;
/// Value of a recurrent leaf that is called by `seq` or `seq_init`: one state a step.
pub type SeqTaps<R> = Vec<<R as RNN>::State>;

/// The forwards of candle's `RNN`.
#[allow(private_bounds, reason = "implemented here only")]
pub trait Recurrent: RNN<State: Any> + LeafInfo {
    #[doc(hidden)]
    fn __taper_step(
        &self,
        x: &Tensor,
        state: &Self::State,
        at: At<'_, '_, '_, Site<Self::State>>,
    ) -> Result<Self::State> {
        call(self, x, at, || self.step(x, state))
    }

    #[doc(hidden)]
    fn __taper_seq(&self, x: &Tensor, at: At<'_, '_, '_, Site<Vec<Self::State>>>) -> Result<Vec<Self::State>> {
        call(self, x, at, || self.seq(x))
    }

    #[doc(hidden)]
    fn __taper_seq_init(
        &self,
        x: &Tensor,
        state: &Self::State,
        at: At<'_, '_, '_, Site<Vec<Self::State>>>,
    ) -> Result<Vec<Self::State>> {
        call(self, x, at, || self.seq_init(x, state))
    }
}

impl<R: RNN<State: Any> + LeafInfo> Recurrent for R {}
