use taper::{Linear, Model, Result, Tensor, forward};

#[derive(Model)]
pub struct Net {
    pub a: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.even(x, 4)
    }

    fn even(&self, x: &Tensor, n: usize) -> Result<Tensor> {
        if n == 0 { x.apply(&self.a) } else { self.odd(x, n - 1) }
    }

    fn odd(&self, x: &Tensor, n: usize) -> Result<Tensor> {
        self.even(x, n - 1)
    }
}

fn main() {}
