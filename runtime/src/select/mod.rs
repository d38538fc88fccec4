//! Selections: what is asked for of a run. Their values have their shape.

mod containers;
mod map;
mod targets;
mod wants;

pub use map::{Map, MapAll};
pub use targets::{Aims, Targets};
pub(crate) use targets::{short, whole};
pub use wants::Wants;
pub(crate) use wants::{Reducer, stranger};

use crate::Result;
use crate::pass::Reader;
use crate::site::Tree;

/// What is asked for: a site, a container of sites, a whole `…Sites`, a tuple (to 12), `Vec`, array or `Option` of
/// selections, the `Result` of a look-up, `()`, or any of these under [`map`](Selection::map).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a selection of taps",
    label = "what this selects is a `{Self}`",
    note = "select taps by their fields, such as `|t| t.output`; a selection is a site, without `&`, a whole `…Sites`, or a tuple, `Vec`, array or `Option` of selections"
)]
pub trait Selection {
    /// What the run gives for it.
    type Value;

    #[doc(hidden)]
    fn want<'s>(&'s self, wants: &mut Wants<'s>);

    #[doc(hidden)]
    fn read(&self, reader: &Reader<'_>) -> Result<Self::Value>;

    /// Applies `f` to what is selected. For a plain site this happens as it is captured (see
    /// [`Site::map`](crate::Site::map)), for anything else when all of it is known. What `f` returns is copied if it is a
    /// view of a larger buffer.
    fn map<U: 'static, F: Fn(&Self::Value) -> Result<U>>(self, f: F) -> MapAll<Self, F>
    where
        Self: Sized,
    {
        MapAll::new(self, f)
    }
}

#[diagnostic::do_not_recommend]
impl<S: Tree> Selection for S {
    type Value = S::Value;

    fn want<'s>(&'s self, wants: &mut Wants<'s>) {
        self.spans(&mut |span| wants.span(span));
    }

    fn read(&self, reader: &Reader<'_>) -> Result<Self::Value> {
        Tree::read_taps(self, reader)
    }
}
