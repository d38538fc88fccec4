//! Selections made of selections.

use super::{Selection, Wants};
use crate::Result;
use crate::pass::Reader;

impl Selection for () {
    type Value = ();

    fn want<'s>(&'s self, _: &mut Wants<'s>) {}

    fn read(&self, _: &Reader<'_>) -> Result<()> {
        Ok(())
    }
}

impl<S: Selection> Selection for Vec<S> {
    type Value = Vec<S::Value>;

    fn want<'s>(&'s self, wants: &mut Wants<'s>) {
        self.iter().for_each(|s| s.want(wants));
    }

    fn read(&self, reader: &Reader<'_>) -> Result<Self::Value> {
        self.iter().map(|s| s.read(reader)).collect()
    }
}

impl<S: Selection> Selection for Option<S> {
    type Value = Option<S::Value>;

    fn want<'s>(&'s self, wants: &mut Wants<'s>) {
        self.iter().for_each(|s| s.want(wants));
    }

    fn read(&self, reader: &Reader<'_>) -> Result<Self::Value> {
        self.as_ref().map(|s| s.read(reader)).transpose()
    }
}

/// A look-up that may have failed, so that `|_| sites.find("a.b")` is a selection: its error is the run's.
impl<S: Selection> Selection for Result<S> {
    type Value = S::Value;

    fn want<'s>(&'s self, wants: &mut Wants<'s>) {
        match self {
            Ok(selection) => selection.want(wants),
            Err(error) => wants.fail(error),
        }
    }

    fn read(&self, reader: &Reader<'_>) -> Result<Self::Value> {
        match self {
            Ok(selection) => selection.read(reader),
            Err(error) => Err(crate::Error::Msg(error.to_string())),
        }
    }
}

impl<S: Selection, const N: usize> Selection for [S; N] {
    type Value = [S::Value; N];

    fn want<'s>(&'s self, wants: &mut Wants<'s>) {
        self.iter().for_each(|s| s.want(wants));
    }

    fn read(&self, reader: &Reader<'_>) -> Result<Self::Value> {
        let values: Vec<_> = self.iter().map(|s| s.read(reader)).collect::<Result<_>>()?;
        Ok(values.try_into().unwrap_or_else(|_| unreachable!("one value a selection")))
    }
}

macro_rules! tuples {
    ($($($name:ident)+;)+) => {$(
        impl<$($name: Selection),+> Selection for ($($name,)+) {
            type Value = ($($name::Value,)+);

            #[allow(non_snake_case, reason = "a tuple's parts are named after their types")]
            fn want<'s>(&'s self, wants: &mut Wants<'s>) {
                let ($($name,)+) = self;
                $($name.want(wants);)+
            }

            #[allow(non_snake_case, reason = "a tuple's parts are named after their types")]
            fn read(&self, reader: &Reader<'_>) -> Result<Self::Value> {
                let ($($name,)+) = self;
                Ok(($($name.read(reader)?,)+))
            }
        }
    )+};
}
tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
}
