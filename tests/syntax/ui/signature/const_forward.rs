use taper::{Model, Result, Tensor, forward};

#[derive(Model)]
pub struct Net {}

#[forward]
impl Net {
    pub const fn forward(&self, _x: &Tensor) -> Result<Tensor> {
        Ok(Tensor)
    }
}

fn main() {}
