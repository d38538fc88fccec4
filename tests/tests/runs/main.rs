//! Changed runs: edits, replacements, recordings, replays and gradients.

mod contract;
mod models;
