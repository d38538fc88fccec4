use candle_core::{Result, Tensor};
use candle_nn::{Embedding, Linear, Module, embedding};
use taper::{Model, forward};

#[derive(Model)]
pub struct Block {
    #[load(embedding(4, 4))]
    pub wte: Embedding,
    #[load(embedding(4, 4))]
    pub up: Linear,
}

#[forward]
impl Block {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.up.forward(&self.wte.forward(x)?)
    }
}

fn main() {}
