//! Selections, of sites only.

use crate::site::Tree;

pub trait Selection {
    type Value;
}

impl<S: Tree> Selection for S {
    type Value = S::Value;
}
