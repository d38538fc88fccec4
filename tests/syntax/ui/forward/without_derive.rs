use taper::{Linear, Result, Tensor, forward};

pub struct Net {
    pub a: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply(&self.a)
    }
}

fn main() {}
