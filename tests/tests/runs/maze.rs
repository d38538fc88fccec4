//! A model with everything that makes replays hard, its layers counting their calls.

use candle_core::{Device, Result, Tensor};
use candle_nn::Module;
use candle_nn::rnn::{LSTM, RNN, lstm};
use taper::{Model, forward};

use crate::models::Counted;

/// Repeats a layer, and has a tap in a branch.
#[derive(Model)]
#[model(vb = candle_nn::VarBuilder<'_>)]
pub(crate) struct Shared {
    pub(crate) first: Counted,
    pub(crate) again: Counted,
}

#[forward]
impl Shared {
    pub(crate) fn forward(&self, #[tap] x: &Tensor, late: bool) -> Result<Tensor> {
        let mut x = self.first.forward(x)?;
        for _ in 0..2 {
            x = self.again.forward(&x)?;
            #[tap]
            let step = x.tanh()?;
            x = step;
        }
        if late {
            #[tap]
            let late = (&x * 0.5)?;
            x = late;
        }
        Ok(x)
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    pub(crate) branch: bool,
    pub(crate) skipped: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { branch: true, skipped: 1 }
    }
}

#[derive(Model)]
#[model(vb = candle_nn::VarBuilder<'_>)]
pub(crate) struct Maze {
    /// Called three times.
    pub(crate) shared: Shared,
    /// Called in a branch.
    pub(crate) branch: Counted,
    /// All but one are called.
    #[load(each(3))]
    #[model(partial)]
    pub(crate) experts: Vec<Counted>,
    /// Called from the last to the first.
    #[load(each(3))]
    pub(crate) back: Vec<Counted>,
    #[load(each(2))]
    pub(crate) left: Vec<Counted>,
    #[load(each(2))]
    pub(crate) right: Vec<Counted>,
    #[load(maybe(true))]
    pub(crate) there: Option<Counted>,
    #[load(maybe(false))]
    pub(crate) absent: Option<Counted>,
    #[load(lstm(4, 4, Default::default()))]
    pub(crate) lstm: LSTM,
    #[load(value = Halve)]
    #[model(leaf)]
    pub(crate) foreign: Halve,
    pub(crate) head: Counted,
}

/// A layer of another crate.
pub(crate) struct Halve;

impl Module for Halve {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        crate::models::count();
        x * 0.5
    }
}

#[forward]
impl Maze {
    pub(crate) fn forward(&self, x: &Tensor, options: &Options) -> Result<Tensor> {
        let mut x = x.clone();
        for i in 0..3 {
            x = self.shared.forward(&x, i == 1)?;
        }
        if options.branch {
            x = self.branch.forward(&x)?;
        }
        for (i, expert) in self.experts.iter().enumerate() {
            if i == options.skipped {
                continue;
            }
            x = (&x + expert.forward(&x)?)?;
        }
        for layer in self.back.iter().rev() {
            x = layer.forward(&x)?;
        }
        for (left, right) in self.left.iter().zip(&self.right) {
            x = (left.forward(&x)? - right.forward(&x)?)?;
        }
        if let Some(there) = &self.there {
            x = there.forward(&x)?;
        }
        if let Some(absent) = &self.absent {
            x = absent.forward(&x)?;
        }
        let state = self.lstm.step(&x, &self.lstm.zero_state(x.dim(0)?)?)?;
        x = self.mixed(&x, state.h())?;
        let half = self.foreign.forward(&x)?;
        self.head.forward(&half)
    }

    fn mixed(&self, x: &Tensor, state: &Tensor) -> Result<Tensor> {
        #[tap]
        let (sum, difference) = ((x + state)?, (x - state)?);
        #[tap]
        let product = (sum * difference)?;
        Ok(product)
    }
}

/// How many counted layers a run with the options as they are calls.
pub(crate) const CALLS: usize = 3 * 3 + 1 + 2 + 3 + 4 + 1 + 1 + 1;

/// The model with random weights that are not on the autograd graph.
pub(crate) fn maze() -> Maze {
    let vars = candle_nn::VarMap::new();
    Maze::load(taper_tests::fixtures::builder(&vars)).unwrap();
    let tensors = vars.data().lock().unwrap().iter().map(|(k, v)| (k.clone(), v.as_detached_tensor())).collect();
    Maze::load(candle_nn::VarBuilder::from_tensors(tensors, candle_core::DType::F32, &Device::Cpu)).unwrap()
}

#[test]
fn the_calls_are_counted() -> Result<()> {
    let (output, calls) = crate::models::calls(|| maze().forward(&taper_tests::fixtures::input(), &Options::default()));
    output?;
    assert_eq!(calls, CALLS);
    Ok(())
}
