use taper::{Linear, Model, Result, Tensor, forward};

#[derive(Model)]
pub struct Net {
    pub a: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.times(x, 3)
    }

    fn times(&self, x: &Tensor, n: usize) -> Result<Tensor> {
        let x = x.apply(&self.a)?;
        if n == 0 { Ok(x) } else { self.times(&x, n - 1) }
    }
}

fn main() {}
