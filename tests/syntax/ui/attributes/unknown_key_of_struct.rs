use taper::{Linear, Model, Result, Tensor, forward};

#[derive(Model)]
#[model(statefull)]
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
