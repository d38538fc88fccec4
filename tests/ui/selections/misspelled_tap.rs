use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module};
use taper::{Model, forward};

#[derive(Model)]
pub struct Block {
    pub up: Linear,
    pub down: Linear,
}

#[forward]
impl Block {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        #[tap]
        let act = self.up.forward(x)?.relu()?;
        self.down.forward(&act)
    }
}

pub fn look(block: &Block, x: &Tensor) -> Result<Tensor> {
    block.capture(x, |t| t.actt)
}

fn main() {}
