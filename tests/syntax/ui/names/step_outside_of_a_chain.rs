use taper::{Linear, Model, Result, Tensor, forward, linear};

#[derive(Model)]
pub struct Net {
    #[load(linear(4, 4))]
    #[then(act = Tensor::relu)]
    pub a: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply(&self.a)
    }
}

fn main() {}
