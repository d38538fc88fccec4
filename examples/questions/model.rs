//! A small model whose layers count their calls.

use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{Module, Result, Tensor};
use candle_nn::{Linear, VarBuilder, linear, ops::sigmoid};
use taper::{Model, forward};

/// Layers that the model of this example has.
pub(crate) const LAYERS: usize = 6;
static CALLS: AtomicUsize = AtomicUsize::new(0);

/// The number of calls of layers that `run` makes, and its result.
pub(crate) fn count_calls<T>(run: impl FnOnce() -> T) -> (usize, T) {
    CALLS.store(0, Ordering::Relaxed);
    let result = run();
    (CALLS.load(Ordering::Relaxed), result)
}

/// A layer that taper knows nothing about, as one of another crate: it counts its calls.
pub(crate) struct Counted(Linear);

impl Module for Counted {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        CALLS.fetch_add(1, Ordering::Relaxed);
        self.0.forward(x)
    }
}

fn counted(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Counted> {
    Ok(Counted(linear(inputs, outputs, vb)?))
}

/// A layer of one's own: adds something to its input, as far as a gate lets it.
#[derive(Model)]
pub(crate) struct Gated {
    #[load(counted(8, 8))]
    #[model(leaf)]
    pub(crate) ask: Counted,
    #[load(counted(8, 8))]
    #[model(leaf)]
    pub(crate) find: Counted,
}

#[forward]
impl Gated {
    /// `x`: `[n, 8]`, to the same.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        /// How open the gate is, from 0 to 1.
        #[tap]
        let gate = sigmoid(&self.ask.forward(x)?)?;
        /// What passed.
        #[tap]
        let change = (&gate * self.find.forward(x)?)?;
        x + change
    }
}

/// Six layers: `up`, two in each block, `down`.
#[derive(Model)]
pub(crate) struct Net {
    #[load(counted(4, 8))]
    #[model(leaf)]
    pub(crate) up: Counted,
    #[load(each(2))]
    pub(crate) blocks: Vec<Gated>,
    #[load(counted(8, 3))]
    #[model(leaf)]
    pub(crate) down: Counted,
}

#[forward]
impl Net {
    /// `x`: `[n, 4]`, to `[n, 3]`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = self.up.forward(x)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        self.down.forward(&x)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use candle_nn::VarMap;

    use super::*;

    #[test]
    fn the_model_checks_itself() -> Result<()> {
        let vars = VarMap::new();
        let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
        let x = Tensor::randn(0f32, 1., (2, 4), &Device::Cpu)?;
        taper::check(&Net::load(vb)?, &x)?;
        Ok(())
    }
}
