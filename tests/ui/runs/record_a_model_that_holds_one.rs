//! A layer with effects inside is enough.

use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module};
use taper::{Model, forward};

#[derive(Model)]
#[model(stateful)]
struct Noisy {
    first: Linear,
}

#[forward]
impl Noisy {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.first.forward(x)? + x.rand_like(0., 1.)?
    }
}

#[derive(Model)]
struct Net {
    blocks: Vec<Noisy>,
}

#[forward]
impl Net {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        Ok(x)
    }
}

fn record(net: &Net, x: &Tensor) -> Result<()> {
    net.run().record(x)?;
    Ok(())
}

fn main() {}
