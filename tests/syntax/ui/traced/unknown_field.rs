use taper::{Linear, Model, Module, Result, Tensor, forward};

#[derive(Model)]
pub struct Net {
    pub first: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.frist.forward(&self.first.forward(x)?)
    }
}

fn main() {}
