use taper::{Linear, forward};

#[forward]
pub struct Net {
    pub a: Linear,
}

fn main() {}
