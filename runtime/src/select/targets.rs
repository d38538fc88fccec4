//! What a change is made at: the sites of a selection, one by one, with the values that go with them.

use std::any::type_name;

use super::Selection;
use crate::site::{Span, Tree};
use crate::{Error, Result};

/// A selection whose values are all of one type, so that a function of one of them can change each.
///
/// Everything that is a [`Selection`] without `.map`: sites, containers of them, a whole `…Sites` (its tensors), and tuples
/// (to 12), `Vec`s, arrays and `Option`s of these, if they are of one type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be changed",
    label = "what this selects is a `{Self}`",
    note = "a change is made at sites, whose values are of one type: select them without reducing them by `.map`, and change sites of different types one after the other"
)]
pub trait Targets: Selection {
    /// The type of one value.
    type Item: Clone + 'static;

    #[doc(hidden)]
    fn targets<'v>(&self, values: Option<&'v Self::Value>, aims: &mut Aims<'v, Self::Item>);
}

/// A site that is aimed at, of all its visits or of one.
pub(crate) struct Aim<'v, T> {
    pub(crate) span: Span,
    /// The visits that are meant, by the index of their `Maybe` or `Visits`; all of them where none is named.
    pub(crate) visits: Vec<(u32, u32)>,
    /// The value that goes with it, where values are given.
    pub(crate) value: Option<&'v T>,
}

/// Gathers what a selection aims at.
pub struct Aims<'v, T> {
    pub(crate) found: Vec<Aim<'v, T>>,
    visits: Vec<(u32, u32)>,
    failed: Option<String>,
}

impl<'v, T> Aims<'v, T> {
    pub(crate) fn of<S: Targets<Item = T>>(selection: &S, values: Option<&'v S::Value>) -> Result<Vec<Aim<'v, T>>> {
        let mut aims = Aims { found: Vec::new(), visits: Vec::new(), failed: None };
        selection.targets(values, &mut aims);
        match aims.failed {
            None => Ok(aims.found),
            Some(error) => Err(Error::Msg(error)),
        }
    }

    pub(crate) fn fail(&mut self, error: impl Into<String>) {
        self.failed.get_or_insert(error.into());
    }

    pub(crate) fn site(&mut self, span: Span, value: Option<&'v T>) {
        self.found.push(Aim { span, visits: self.visits.clone(), value });
    }

    /// Everything inside is of this visit only.
    pub(crate) fn within(&mut self, node: u32, visit: u32, inside: impl FnOnce(&mut Self)) {
        self.visits.push((node, visit));
        inside(self);
        self.visits.pop();
    }

    fn same_length(&mut self, sites: usize, values: Option<usize>) -> bool {
        let same = values.is_none_or(|values| values == sites);
        if !same {
            let values = values.unwrap_or(0);
            self.fail(format!("{values} values were given for a selection of {sites} sites; give one a site"));
        }
        same
    }

    /// One after the other, each with its value.
    pub(crate) fn all<S: Targets<Item = T>>(&mut self, sites: &[S], values: Option<&'v [S::Value]>) {
        if self.same_length(sites.len(), values.map(<[_]>::len)) {
            for (i, site) in sites.iter().enumerate() {
                site.targets(values.map(|v| &v[i]), self);
            }
        }
    }

    /// The visits of a frame: of each its value, or all of them.
    pub(crate) fn visits<V>(
        &mut self,
        node: u32,
        values: Option<&'v Vec<V>>,
        mut inside: impl FnMut(&mut Self, Option<&'v V>),
    ) {
        match values {
            None => inside(self, None),
            Some(values) => {
                for (visit, value) in (0..).zip(values) {
                    self.within(node, visit, |aims| inside(aims, Some(value)));
                }
            }
        }
    }

    /// One visit, which must be counted from the start.
    pub(crate) fn visit(&mut self, node: u32, visit: isize, inside: impl FnOnce(&mut Self)) {
        match u32::try_from(visit) {
            Ok(visit) => self.within(node, visit, inside),
            Err(_) => self.fail(format!(
                "visit {visit} can't be changed: how many visits there are is known only when the run has ended; count \
                 from the start"
            )),
        }
    }
}

#[diagnostic::do_not_recommend]
impl<S: Tree> Targets for S {
    type Item = S::Item;

    fn targets<'v>(&self, values: Option<&'v S::Value>, aims: &mut Aims<'v, S::Item>) {
        Tree::aim(self, values, aims);
    }
}

/// All sites of a generated `…Sites`. Their values have fields, which are given one by one.
pub(crate) fn whole<S: Tree>(sites: &S, values: Option<&S::Value>, aims: &mut Aims<'_, S::Item>) {
    match values {
        None => sites.spans(&mut |span| aims.site(span, None)),
        Some(_) => aims.fail(format!(
            "the values of a whole `{}` can't be given at once; select the taps that are meant, such as `.output`",
            short(type_name::<S>())
        )),
    }
}

/// The name of a type without its path.
pub(crate) fn short(name: &str) -> &str {
    let plain = name.split('<').next().unwrap_or(name);
    &name[plain.rfind("::").map_or(0, |i| i + 2)..]
}

impl<S: Targets> Targets for Vec<S> {
    type Item = S::Item;

    fn targets<'v>(&self, values: Option<&'v Self::Value>, aims: &mut Aims<'v, S::Item>) {
        aims.all(self, values.map(Vec::as_slice));
    }
}

impl<S: Targets, const N: usize> Targets for [S; N] {
    type Item = S::Item;

    fn targets<'v>(&self, values: Option<&'v Self::Value>, aims: &mut Aims<'v, S::Item>) {
        aims.all(self, values.map(<[_; N]>::as_slice));
    }
}

impl<S: Targets> Targets for Option<S> {
    type Item = S::Item;

    fn targets<'v>(&self, values: Option<&'v Self::Value>, aims: &mut Aims<'v, S::Item>) {
        match (self, values) {
            (Some(site), Some(Some(value))) => site.targets(Some(value), aims),
            (Some(site), None) => site.targets(None, aims),
            // No value for a site that is there: it is left as it is.
            (Some(_), Some(None)) | (None, None | Some(None)) => {}
            (None, Some(Some(_))) => aims.fail("a value was given where nothing is selected"),
        }
    }
}

impl<S: Targets> Targets for Result<S> {
    type Item = S::Item;

    fn targets<'v>(&self, values: Option<&'v Self::Value>, aims: &mut Aims<'v, S::Item>) {
        match self {
            Ok(site) => site.targets(values, aims),
            Err(error) => aims.fail(error.to_string()),
        }
    }
}

macro_rules! tuples {
    ($($first:ident $($name:ident)*;)+) => {$(
        impl<$first: Targets, $($name: Targets<Item = $first::Item>),*> Targets for ($first, $($name,)*) {
            type Item = $first::Item;

            #[allow(non_snake_case, reason = "a tuple's parts are named after their types")]
            fn targets<'v>(&self, values: Option<&'v Self::Value>, aims: &mut Aims<'v, Self::Item>) {
                let ($first, $($name,)*) = self;
                match values {
                    None => {
                        $first.targets(None, aims);
                        $($name.targets(None, aims);)*
                    }
                    Some(values) => tuples!(@values values aims $first $($name)*),
                }
            }
        }
    )+};
    (@values $values:ident $aims:ident $($name:ident)+) => {{
        tuples!(@each $values $aims [$($name)+] [0 1 2 3 4 5 6 7 8 9 10 11]);
    }};
    (@each $values:ident $aims:ident [] [$($place:tt)*]) => {};
    (@each $values:ident $aims:ident [$name:ident $($names:ident)*] [$place:tt $($places:tt)*]) => {
        $name.targets(Some(&$values.$place), $aims);
        tuples!(@each $values $aims [$($names)*] [$($places)*]);
    };
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
