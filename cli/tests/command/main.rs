//! The command as it is built: what it prints, saves and exits with.

mod changes;
mod common;
mod faults;
mod inputs;
mod inspect;
mod outputs;
mod steps;
mod taps;
