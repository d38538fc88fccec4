use taper::Model;

#[derive(Model)]
pub union Block {
    a: u32,
    b: f32,
}

fn main() {}
