use taper::{Linear, Model, Result, Tensor, forward, linear};

#[derive(Model)]
pub struct Block {
    #[load(linear(cfg.width, 4))]
    pub a: Linear,
}

#[forward]
impl Block {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply(&self.a)
    }
}

fn main() {}
