use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module};
use taper::{Model, forward};

#[derive(Model)]
pub struct Block {
    pub up: Linear,
}

#[forward]
impl Block {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.up.forward(x)
    }
}

pub fn look(block: &Block, x: &Tensor) -> Result<Tensor> {
    block.capture(x, |t| &t.up)
}

fn main() {}
