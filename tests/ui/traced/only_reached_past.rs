use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module};
use taper::{Model, forward};

#[derive(Model)]
pub struct Inner {
    pub up: Linear,
}

#[forward]
impl Inner {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.up.forward(x)
    }
}

#[derive(Model)]
pub struct Outer {
    pub inner: Inner,
}

#[forward]
impl Outer {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.inner.up.forward(x)
    }
}

fn main() {}
