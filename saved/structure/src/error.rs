//! What is wrong with a file.

use std::fmt;
use std::path::Path;

/// What is wrong with a file, in words.
#[derive(Debug)]
pub enum Error {
    /// As it is shown.
    Msg(String),
    /// There is no signature of the name that was asked for.
    Signature(String),
}

/// A result of reading.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Another's error, in its words.
    pub fn wrap(error: impl fmt::Display) -> Self {
        Error::Msg(error.to_string())
    }

    /// The same, with the file that it is about.
    pub fn in_file(self, path: &Path) -> Self {
        let text = format!("`{}`: {self}", path.display());
        match self {
            Error::Msg(_) => Error::Msg(text),
            Error::Signature(_) => Error::Signature(text),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Error::Msg(text) | Error::Signature(text)) = self;
        f.write_str(text)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Error::wrap(error)
    }
}

#[cfg(feature = "candle")]
impl From<Error> for candle_core::Error {
    fn from((Error::Msg(text) | Error::Signature(text)): Error) -> Self {
        candle_core::Error::Msg(text)
    }
}
