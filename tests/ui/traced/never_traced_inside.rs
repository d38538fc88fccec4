use std::sync::Mutex;
use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module};
use taper::{Model, forward};

#[derive(Model)]
pub struct Block {
    pub up: Linear,
    pub down: Mutex<Vec<Linear>>,
}

#[forward]
impl Block {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.up.forward(x)
    }
}

fn main() {}
