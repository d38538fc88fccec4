//! Values in the shape of a selection, put together part by part.

use candle_core::Tensor;

use crate::{Error, Result};

/// Tensors in the shape of a selection: a tensor, or a `Vec`, array, `Option` or tuple (to 4) of such.
pub trait Values: Sized {
    /// Applies `f` to the tensors at the same place.
    ///
    /// # Errors
    /// Those of `f`, and values of another number or shape.
    fn zip_with(&self, other: &Self, f: &dyn Fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Self>;
}

impl Values for Tensor {
    fn zip_with(&self, other: &Self, f: &dyn Fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Self> {
        f(self, other)
    }
}

impl<V: Values> Values for Vec<V> {
    fn zip_with(&self, other: &Self, f: &dyn Fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Self> {
        if self.len() != other.len() {
            return Err(Error::Msg(format!(
                "{} values and {}: they must be of the same selection",
                self.len(),
                other.len()
            )));
        }
        self.iter().zip(other).map(|(a, b)| a.zip_with(b, f)).collect()
    }
}

impl<V: Values, const N: usize> Values for [V; N] {
    fn zip_with(&self, other: &Self, f: &dyn Fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Self> {
        let values: Vec<V> = self.iter().zip(other).map(|(a, b)| a.zip_with(b, f)).collect::<Result<_>>()?;
        Ok(values.try_into().unwrap_or_else(|_| unreachable!("as many as there were")))
    }
}

impl<V: Values> Values for Option<V> {
    fn zip_with(&self, other: &Self, f: &dyn Fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Self> {
        match (self, other) {
            (Some(a), Some(b)) => a.zip_with(b, f).map(Some),
            (None, None) => Ok(None),
            _ => Err(Error::Msg("one of the two runs did not reach what is selected".to_owned())),
        }
    }
}

macro_rules! tuples {
    ($($($name:ident $place:tt),+;)+) => {$(
        impl<$($name: Values),+> Values for ($($name,)+) {
            fn zip_with(&self, other: &Self, f: &dyn Fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Self> {
                Ok(($(self.$place.zip_with(&other.$place, f)?,)+))
            }
        }
    )+};
}
tuples! {
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
}
