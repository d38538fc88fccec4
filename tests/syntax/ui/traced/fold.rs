use taper::{Linear, Model, Module, Result, Tensor, forward};

#[derive(Model)]
pub struct Net {
    pub layers: Vec<Linear>,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.layers.iter().try_fold(x.clone(), |x, layer| layer.forward(&x))
    }
}

fn main() {}
