use candle_nn::{LayerNorm, Linear, layer_norm, linear};
use taper::Model;

const WIDTH: usize = 768;
const HIDDEN: usize = 4 * WIDTH;

#[derive(Model)]
#[model(sequential)]
pub struct Net {
    #[load(linear(WIDTH, HIDDEN))]
    pub fc1: Linear,
    #[load(layer_norm(WIDTH, 1e-5))]
    pub ln: LayerNorm,
}

fn main() {}
