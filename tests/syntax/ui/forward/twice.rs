use taper::{Linear, Model, Result, Tensor, forward};

#[derive(Model)]
pub struct Net {
    pub a: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.half(x)?.apply(&self.a)
    }
}

#[forward]
impl Net {
    fn half(&self, x: &Tensor) -> Result<Tensor> {
        x.relu()
    }
}

fn main() {}
