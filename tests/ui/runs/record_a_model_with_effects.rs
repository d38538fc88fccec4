//! A run of a model with effects can't be recorded: a replay would leave them out.

use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module};
use taper::{Model, forward};

#[derive(Model)]
struct Net {
    first: Linear,
}

#[forward]
impl Net {
    fn forward(&self, x: &Tensor, cache: &mut Vec<Tensor>) -> Result<Tensor> {
        cache.push(self.first.forward(x)?);
        Tensor::cat(cache, 0)
    }
}

fn record(net: &Net, x: &Tensor) -> Result<()> {
    net.run().record(x, &mut Vec::new())?;
    Ok(())
}

fn main() {}
