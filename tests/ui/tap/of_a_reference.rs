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
        #[tap]
        let input = x;
        self.up.forward(input)
    }
}

fn main() {}
