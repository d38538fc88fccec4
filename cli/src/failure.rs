//! Why the command failed, and what it exits with.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use console::style;

pub(crate) type Outcome<T> = Result<T, Failure>;

#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
}

/// The numbers are the exit codes, which `--help` lists.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Whoever read the output has enough.
    Unread = 0,
    Run = 1,
    Usage = 2,
    File = 3,
    Name = 4,
    Unsupported = 5,
}

impl Failure {
    /// The run failed, or what it gave can't be written.
    pub(crate) fn run(why: impl Display) -> Self {
        Self::of(Kind::Run, why)
    }

    /// The command or an input does not fit.
    pub(crate) fn usage(why: impl Display) -> Self {
        Self::of(Kind::Usage, why)
    }

    /// A file can't be read, or is not what it should be.
    pub(crate) fn file(why: impl Display) -> Self {
        Self::of(Kind::File, why)
    }

    /// A name means nothing, or several things.
    pub(crate) fn name(why: impl Display) -> Self {
        Self::of(Kind::Name, why)
    }

    /// An operation is needed that is not supported.
    pub(crate) fn unsupported(why: impl Display) -> Self {
        Self::of(Kind::Unsupported, why)
    }

    fn of(kind: Kind, why: impl Display) -> Self {
        let why = why.to_string();
        // Where `RUST_BACKTRACE` is set, candle's errors have a trace behind them.
        let message = why.split("\n   0: ").next().unwrap_or_default().to_owned();
        Self { kind, message }
    }

    /// Says it on the standard error.
    pub(crate) fn report(&self) -> ExitCode {
        if !matches!(self.kind, Kind::Unread) {
            // Nobody is left to be told where that can't be written either.
            let _ = writeln!(io::stderr(), "{} {}", style("error:").for_stderr().red().bold(), self.message);
        }
        ExitCode::from(self.kind as u8)
    }
}

/// What is written to the standard output goes through here.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::of(Kind::Unread, error),
            _ => Self::run(format!("cannot write the output: {error}")),
        }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        io::Error::from(error).into()
    }
}
