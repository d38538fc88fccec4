use taper::{Linear, Model, Result, Tensor, forward};

fn twice(a: &Linear, x: &Tensor) -> Result<Tensor> {
    x.apply(a)?.apply(a)
}

#[derive(Model)]
pub struct Net {
    pub a: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        twice(&self.a, &x.apply(&self.a)?)
    }
}

fn main() {}
