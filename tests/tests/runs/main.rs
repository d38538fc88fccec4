//! Changed runs: edits, replacements, recordings, replays and gradients.

mod checks;
mod contract;
mod models;
