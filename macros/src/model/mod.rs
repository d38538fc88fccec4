//! What `#[derive(Model)]` understands of a struct: parse, then check, then nothing below can fail.

pub(crate) mod attrs;
pub(crate) mod check;
pub(crate) mod ir;
pub(crate) mod loader;
pub(crate) mod parse;
pub(crate) mod symbols;
pub(crate) mod types;

#[cfg(test)]
mod tests;
