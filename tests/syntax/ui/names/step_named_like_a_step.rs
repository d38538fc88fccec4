use taper::{Linear, Model, Tensor, linear};

#[derive(Model)]
#[model(sequential)]
pub struct Net {
    #[load(linear(4, 4))]
    #[then(act = Tensor::relu, act = Tensor::relu)]
    pub a: Linear,
}

fn main() {}
