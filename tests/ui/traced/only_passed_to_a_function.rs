use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module};
use taper::{Model, forward};

fn through(layer: &Linear, x: &Tensor) -> Result<Tensor> {
    layer.forward(x)
}

#[derive(Model)]
pub struct Block {
    pub up: Linear,
    pub down: Linear,
}

#[forward]
impl Block {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        through(&self.down, &self.up.forward(x)?)
    }
}

fn main() {}
