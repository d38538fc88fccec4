use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module, linear};
use taper::Model;

#[derive(Model)]
pub struct Block {
    #[load(linear(4, 4))]
    pub up: Linear,
}

impl Block {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.up.forward(x)
    }
}

fn main() {}
