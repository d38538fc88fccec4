use candle_nn::{Linear, linear};
use taper::Model;

#[derive(Model)]
pub struct Block {
    #[load(linear(4, 4))]
    pub up: Linear,
}

fn main() {}
