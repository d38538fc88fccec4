use taper::{Linear, Model};

#[derive(Model)]
pub enum Block {
    One(Linear),
}

fn main() {}
