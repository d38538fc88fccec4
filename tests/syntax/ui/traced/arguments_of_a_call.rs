// Two errors for one mistake: the copy calls a method with an argument more, so that rustc does not see them to be one.
use taper::{Linear, Model, Module, Result, Tensor, forward};

#[derive(Model)]
pub struct Net {
    pub first: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.first.forward(x, 3)
    }
}

fn main() {}
