// rustc's own errors of a body are not repeated for its copy.
use taper::{Linear, Model, Module, Result, Tensor, forward};

#[derive(Model)]
pub struct Net {
    pub first: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.first.forward(x)?;
        x.releu()
    }
}

fn main() {}
