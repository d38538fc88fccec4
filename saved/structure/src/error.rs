//! What is wrong with a file.

use std::fmt;
use std::path::Path;

/// What is wrong with a file, in words.
#[derive(Debug)]
pub enum Error {
    /// As it is shown.
    Msg(String),
    /// A file of weights is missing, cut off or damaged. It says which.
    File(String),
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

    /// The same in other words.
    pub fn reworded(self, words: impl FnOnce(&str) -> String) -> Self {
        match self {
            Error::Msg(text) => Error::Msg(words(&text)),
            Error::File(text) => Error::File(words(&text)),
            Error::Signature(text) => Error::Signature(words(&text)),
        }
    }

    /// The same, with the file that it is about, unless it says so itself.
    pub fn in_file(self, path: &Path) -> Self {
        match self {
            Error::File(_) => self,
            _ => self.reworded(|text| format!("`{}`: {text}", path.display())),
        }
    }

    /// What is wrong with a file of weights.
    pub fn of_weights(self, path: &Path) -> Self {
        match self {
            Error::File(_) => self,
            _ => Error::File(format!("`{}`: {self}", path.display())),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Error::Msg(text) | Error::File(text) | Error::Signature(text)) = self;
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
    fn from((Error::Msg(text) | Error::File(text) | Error::Signature(text)): Error) -> Self {
        candle_core::Error::Msg(text)
    }
}
