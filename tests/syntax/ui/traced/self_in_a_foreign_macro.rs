use taper::{Linear, Model, Result, Tensor, forward};

macro_rules! through {
    ($net:expr, $x:expr) => {
        $x.apply(&$net.a)
    };
}

#[derive(Model)]
pub struct Net {
    pub a: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply(&self.a)?;
        through!(self, x)
    }
}

fn main() {}
