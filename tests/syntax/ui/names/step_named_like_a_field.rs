use taper::{Linear, Model, Result, Tensor, VarBuilder, linear};

#[derive(Model)]
#[model(sequential)]
pub struct Net {
    #[load(linear(4, 4))]
    #[then(b = Tensor::relu)]
    pub a: Linear,
    #[load(linear(4, 4))]
    pub b: Linear,
}

pub fn run(vb: VarBuilder<'_>, x: &Tensor) -> Result<Tensor> {
    Net::load(vb)?.forward(x)
}

fn main() {}
