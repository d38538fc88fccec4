use taper::{Linear, Model, Result, Tensor, VarBuilder, linear};

#[derive(Model)]
#[model(sequental)]
pub struct Net {
    #[load(linear(4, 4))]
    pub a: Linear,
}

pub fn run(vb: VarBuilder<'_>, x: &Tensor) -> Result<Tensor> {
    let net = Net::load(vb)?;
    let (_, taps) = net.forward_with_taps(x)?;
    Ok(taps.a)
}

fn main() {}
