use taper::{Linear, Model, Module, Result, Tensor, forward};

#[derive(Model)]
pub struct Block(Linear);

#[forward]
impl Block {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.forward(x)
    }
}

fn main() {}
