//! Saved models out of files, with the values that TensorFlow computes.

mod common;
mod contents;
mod crafted;
mod damaged;
mod goldens;
mod runs;
