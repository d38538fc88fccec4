use taper::{Linear, Model, Result, Tensor, forward};

#[derive(Model)]
pub struct Block {
    #[load(taper::linear)]
    pub a: Linear,
}

#[forward]
impl Block {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply(&self.a)
    }
}

fn main() {}
