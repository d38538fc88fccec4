use taper::{Linear, Model, Result, Tensor, forward};

#[derive(Model)]
pub struct Net {
    pub a: Linear,
}

#[forward(traced)]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply(&self.a)
    }
}

fn main() {}
