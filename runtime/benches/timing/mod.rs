//! What the benchmarks measure with.

use std::process::{Command, exit};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use taper::candle_core::Result;

/// The environment variable that says how many threads candle uses.
pub(crate) const THREADS: &str = "RAYON_NUM_THREADS";

/// This program again, on one thread: how many there are is settled once, and a tiny product on two takes many times what
/// it takes on one.
pub(crate) fn again(args: &[String], env: &[(&str, &str)]) -> Result<()> {
    let status = Command::new(env::current_exe()?).args(args).env(THREADS, "1").envs(env.iter().copied()).status()?;
    if !status.success() {
        exit(status.code().unwrap_or(1));
    }
    Ok(())
}

/// What the process has computed so far, which other programs on the machine disturb less than the time of day.
pub(crate) fn clock() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(Instant::now);
    // The kernel brings the count of the running thread up to date when it has to choose the next one.
    thread::yield_now();
    cpu_time().unwrap_or_else(|| start.elapsed())
}

/// The sum over the threads, on Linux.
fn cpu_time() -> Option<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir("/proc/self/task").ok()? {
        let counts = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        nanos += counts.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanos))
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// glibc returns what is freed to the system until a large buffer was freed once, as in every program that has read a
/// file of weights. Each run that keeps values would ask for its memory anew: page faults, which cost what the machine
/// makes them cost.
pub(crate) fn keep_memory() {
    drop(std::hint::black_box(vec![1u8; 30 << 20]));
}
