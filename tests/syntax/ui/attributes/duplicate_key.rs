use taper::{Linear, Model, Result, Tensor, forward};

#[derive(Model)]
#[model(taps = A, taps = B)]
pub struct Block {
    pub a: Linear,
}

#[forward]
impl Block {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply(&self.a)
    }
}

fn main() {}
