use taper::{Model, Result, Tensor, forward};

#[derive(Model)]
pub struct Net {}

#[forward]
impl Net {
    pub fn forward(x: &Tensor) -> Result<Tensor> {
        x.relu()
    }
}

fn main() {}
