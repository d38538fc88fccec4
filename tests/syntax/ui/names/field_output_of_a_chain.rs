use taper::{Linear, Model, linear};

#[derive(Model)]
#[model(sequential)]
pub struct Net {
    #[load(linear(4, 4))]
    pub output: Linear,
}

fn main() {}
