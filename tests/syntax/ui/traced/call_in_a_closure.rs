use taper::{Linear, Model, Result, Tensor, forward};

#[derive(Model)]
pub struct Net {
    pub a: Linear,
    pub b: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let through = |x: &Tensor| x.apply(&self.b);
        through(&x.apply(&self.a)?)?.apply(&self.b)
    }
}

fn main() {}
