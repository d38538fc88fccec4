use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module};
use taper::{Model, forward};

#[derive(Model)]
pub struct Net {
    pub layers: Vec<Linear>,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for layer in &self.layers {
            x = layer.forward(&x)?;
        }
        Ok(x)
    }
}

pub fn look(net: &Net, x: &Tensor) -> Result<Tensor> {
    net.capture(x, |t| t.layer[0])
}

fn main() {}
