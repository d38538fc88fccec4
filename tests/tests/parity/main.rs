//! `taper::parity`: mistakes are found where they are, and nothing is passed over.

mod dumped;
mod models;
mod names;
mod order;
mod reports;
