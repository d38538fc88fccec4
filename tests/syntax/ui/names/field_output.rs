use taper::{Linear, Model, Result, Tensor, forward};

#[derive(Model)]
pub struct Net {
    pub output: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply(&self.output)
    }
}

fn main() {}
