use taper::Model;

#[derive(Model)]
pub struct Block;

fn main() {}
