//! Changed runs: edits, replacements, recordings, replays and gradients.

mod attributions;
mod checks;
mod contract;
mod edited_visits;
mod edits;
mod gradients;
mod inputs;
mod layouts;
mod lost_gradients;
mod maze;
mod models;
mod places;
mod replays;
mod reuse;
mod starts;
mod stateful;
mod sweeps;
