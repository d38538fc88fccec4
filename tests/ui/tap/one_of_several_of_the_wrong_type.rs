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
        let (act, rank) = (x.relu()?, x.rank());
        let _ = rank;
        self.up.forward(&act)
    }
}

fn main() {}
