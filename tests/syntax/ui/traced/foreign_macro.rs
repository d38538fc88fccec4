use taper::{Linear, Model, Result, Tensor, forward};

macro_rules! through {
    ($module:expr, $x:expr) => {
        $x.apply(&$module)
    };
}

#[derive(Model)]
pub struct Net {
    pub a: Linear,
    pub b: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = x.apply(&self.a)?.apply(&self.b)?;
        through!(self.a, x)
    }
}

fn main() {}
