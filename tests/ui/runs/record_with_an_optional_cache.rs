//! An argument that is changed may stand inside another.

use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module};
use taper::{Model, forward};

#[derive(Model)]
struct Net {
    first: Linear,
}

#[forward]
impl Net {
    fn forward(&self, x: &Tensor, cache: Option<&mut Vec<Tensor>>) -> Result<Tensor> {
        let y = self.first.forward(x)?;
        if let Some(cache) = cache {
            cache.push(y.clone());
        }
        Ok(y)
    }
}

fn record(net: &Net, x: &Tensor) -> Result<()> {
    net.run().record(x, None)?;
    Ok(())
}

fn main() {}
