//! Changed runs: edits, replacements, recordings, replays and gradients.

mod checks;
mod contract;
mod edits;
mod inputs;
mod maze;
mod models;
mod replays;
