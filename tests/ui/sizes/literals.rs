use candle_core::Tensor;
use candle_nn::{Linear, linear};
use taper::Model;

#[derive(Model)]
#[model(sequential)]
pub struct Net {
    #[load(linear(256, 120))]
    #[then(act = Tensor::relu)]
    pub fc1: Linear,
    #[load(linear(128, 10))]
    pub fc2: Linear,
}

fn main() {}
