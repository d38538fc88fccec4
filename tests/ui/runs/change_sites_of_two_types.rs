//! The values of a change are of one type.

use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module};
use taper::{Model, forward};

#[derive(Model)]
struct Net {
    first: Linear,
}

#[forward]
impl Net {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        #[tap]
        let rows: usize = x.dim(0)?;
        self.first.forward(x)? * rows as f64
    }
}

fn edit(net: &Net, x: &Tensor) -> Result<Tensor> {
    net.run().edit(|t| (t.first, t.rows), |h: &Tensor| h.zeros_like()).forward(x)
}

fn main() {}
