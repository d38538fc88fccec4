use taper::{Layer, Linear, Model, Result, Tensor, forward};

#[derive(Model)]
pub struct Net<M: Layer> {
    pub a: Linear,
    pub inner: M,
}

#[forward]
impl<M: Layer> Net<M> {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply(&self.a)
    }
}

fn main() {}
