use taper::{Linear, Model};

#[derive(Model)]
pub struct Block(Linear);

fn main() {}
