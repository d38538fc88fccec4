//! Saved models out of files, with the values that TensorFlow computes.

mod bodies;
mod common;
mod contents;
mod crafted;
mod damaged;
mod goldens;
mod runs;
mod typed;
