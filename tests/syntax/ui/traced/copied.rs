use taper::{Linear, Model, Module, Result, Tensor, forward};

#[derive(Model)]
pub struct Net {
    pub a: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let copy = self.a.clone();
        copy.forward(&self.a.forward(x)?)
    }
}

fn main() {}
