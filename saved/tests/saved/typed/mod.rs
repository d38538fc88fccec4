//! Saved models with a type of their own.

mod models;
mod runs;
