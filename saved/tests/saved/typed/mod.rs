//! Saved models with a type of their own.

mod hygiene;
mod models;
mod runs;
mod twice;
