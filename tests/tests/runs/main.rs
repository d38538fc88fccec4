//! Changed runs: edits, replacements, recordings, replays and gradients.

mod checks;
mod contract;
mod maze;
mod models;
