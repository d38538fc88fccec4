use taper::{Linear, Model, Result, Tensor, forward};

#[derive(Model)]
pub struct Net {
    pub a: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: Option<&Tensor>) -> Result<Tensor> {
        #[tap]
        let Some(h) = x else { return Ok(Tensor) };
        h.apply(&self.a)
    }
}

fn main() {}
