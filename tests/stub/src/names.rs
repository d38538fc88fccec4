//! The table of names.

use std::marker::PhantomData;

use crate::tapped::Tapped;

pub struct SiteTable<S>(PhantomData<S>);

impl<S> SiteTable<S> {
    pub(crate) fn of<M: Tapped<Sites = S>>(_model: &M) -> Self {
        SiteTable(PhantomData)
    }
}
