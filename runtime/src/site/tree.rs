//! What every tree of sites can do, generated ones included.

use std::fmt::Debug;

use crate::Result;
use crate::pass::Reader;
use crate::select::Aims;
use crate::taps::Visitor;

/// The sites that a tree covers: indices are given out depth first, so that they are one range.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Index of the first site.
    pub first: u32,
    /// Index after the last site.
    pub end: u32,
    /// Fingerprint of the model.
    pub tree: u64,
}

/// A tree of sites: a [`Site`](crate::Site), a container of them, or a generated `…Sites` struct.
///
/// Implemented by `#[derive(Model)]` and `#[forward]`; its functions are not meant to be called.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no tree of sites",
    note = "a site, `Each`, `Maybe`, `Visits` and the generated `…Sites` structs are"
)]
pub trait Tree: Clone + Debug {
    /// What the sites hold after a run: the generated `…Taps` for a `…Sites`.
    type Value: Clone;

    #[doc(hidden)]
    fn span(&self) -> Span;

    /// The ranges that it covers: one, unless the sites were given out in another order than that of the tree.
    #[doc(hidden)]
    fn spans(&self, f: &mut dyn FnMut(Span)) {
        f(self.span());
    }

    #[doc(hidden)]
    fn read_taps(&self, reader: &Reader<'_>) -> Result<Self::Value>;

    /// The type of one value, where all are of one type; `Tensor` for a generated `…Sites`.
    type Item: Clone + 'static;

    #[doc(hidden)]
    fn aim<'v>(&self, values: Option<&'v Self::Value>, aims: &mut Aims<'v, Self::Item>) {
        crate::select::whole(self, values, aims);
    }

    #[doc(hidden)]
    fn visit(value: &Self::Value, visitor: &mut Visitor<'_>);
}
