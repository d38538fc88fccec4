//! How many threads compute.

use std::env;
use std::process::Command;

use crate::failure::{Failure, Outcome};

/// What candle and the libraries under it read, before anything is computed and never again. Setting them for a process that
/// runs is not safe, so that they are set for one that takes its place.
const VARIABLES: [&str; 2] = ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"];

/// Comes back in a process with so many threads.
pub(super) fn use_only(threads: u16) -> Outcome<()> {
    let threads = threads.to_string();
    if VARIABLES.iter().all(|name| env::var(name).is_ok_and(|value| value == threads)) {
        return Ok(());
    }
    let failed = |error| Failure::run(format!("cannot start again with {threads} threads: {error}"));
    let mut command = Command::new(env::current_exe().map_err(failed)?);
    command.args(env::args_os().skip(1)).envs(VARIABLES.map(|name| (name, &threads)));
    replace(&mut command).map_err(failed)
}

/// Comes back only if it fails.
#[cfg(unix)]
fn replace(command: &mut Command) -> std::io::Result<()> {
    Err(std::os::unix::process::CommandExt::exec(command))
}

#[cfg(not(unix))]
fn replace(command: &mut Command) -> std::io::Result<()> {
    std::process::exit(command.status()?.code().unwrap_or(1))
}
