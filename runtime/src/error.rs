//! Errors of models, where candle's are asked for.

use std::any::Any;

use crate::Error;

/// The error as one of candle's.
pub(crate) fn candle_error<E: Any>(error: E) -> Error {
    let mut error = Some(error);
    match (&mut error as &mut dyn Any).downcast_mut::<Option<Error>>() {
        Some(error) => error.take().unwrap_or(Error::UnwrapNone),
        None => Error::Msg("the model failed with an error of its own; run it with these inputs to see it".to_owned()),
    }
}
