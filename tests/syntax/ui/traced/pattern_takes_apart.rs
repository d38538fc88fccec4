use taper::{Linear, Model, Result, Tensor, forward};

#[derive(Model)]
pub struct Net {
    pub layers: Vec<Linear>,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for layer @ Linear in &self.layers {
            x = x.apply(layer)?;
        }
        for layer in &self.layers {
            x = x.apply(layer)?;
        }
        Ok(x)
    }
}

fn main() {}
