use taper::{Linear, Model, Tensor, forward};

#[derive(Model)]
pub struct Net {
    pub a: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) {
        let _ = x.apply(&self.a);
    }
}

fn main() {}
