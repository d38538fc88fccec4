use taper::{Linear, Model, Module, Result, Tensor, forward};

#[derive(Model)]
pub enum Block {
    One(Linear),
}

#[forward]
impl Block {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Block::One(a) = self;
        a.forward(x)
    }
}

fn main() {}
