use taper::{Linear, Model, Result, Tensor, VarBuilder, forward, linear};

#[derive(Model)]
pub struct Block {
    #[load(linear(4, 4))]
    pub a: Linear,
    #[load(vlaue = 4)]
    pub n: usize,
}

#[forward]
impl Block {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply(&self.a)
    }
}

pub fn load(vb: VarBuilder<'_>) -> Result<Block> {
    Block::load(vb)
}

fn main() {}
