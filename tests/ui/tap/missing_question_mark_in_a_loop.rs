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
        let mut x = self.up.forward(x)?;
        for _ in 0..3 {
            #[tap]
            let act = x.relu();
            x = act?;
        }
        Ok(x)
    }
}

fn main() {}
