//! The command `taper`: looks into saved models and files of weights, and runs models with any tensor captured.

mod arguments;
mod failure;
mod inspect;
mod names;
mod paths;
mod run;
mod show;
mod taps;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::failure::Outcome;

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let mut out = BufWriter::new(io::stdout().lock());
    let outcome: Outcome<()> = match &command {
        Command::Inspect(arguments) => inspect::inspect(arguments, &mut out),
        Command::Taps(arguments) => taps::taps(arguments, &mut out),
        Command::Run(arguments) => run::run(arguments, &mut out),
    };
    match outcome.and_then(|()| Ok(out.flush()?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
