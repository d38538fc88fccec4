//! One subtree for every element of a `Vec` or array field.

use std::fmt;
use std::ops::{Deref, Index, Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};
use std::sync::OnceLock;

use super::{Span, Tree};
use crate::Result;
use crate::pass::Reader;
use crate::select::{Aims, short};
use crate::tapped::Tapped;
use crate::taps::Visitor;

/// The sites of the elements of a `Vec` or array field, indexed by the element's place in the field whatever the order
/// in which a run visits them. Its value is a `Vec`.
///
/// `t.blocks[3]` panics beyond the end, as a slice does; [`at`](Each::at) counts from the end if negative and gives an
/// error when the selection is used; `t.blocks[4..9]` is an `Each` of its own.
pub struct Each<S> {
    /// Index before which the elements' sites stand.
    node: u32,
    tree: u64,
    items: Vec<S>,
    /// What `at` gives beyond the end: using it is an error that names the field.
    beyond: Option<Box<S>>,
    parts: Parts<S>,
}

/// The ranges that were indexed, so that `&each[4..9]` has something to refer to. Append-only.
struct Parts<S>(OnceLock<Box<(Each<S>, Parts<S>)>>);

impl<S> Each<S> {
    pub(crate) fn new(node: u32, tree: u64, items: Vec<S>, beyond: Option<Box<S>>) -> Self {
        Each { node, tree, items, beyond, parts: Parts(OnceLock::new()) }
    }

    /// The sites of the element whose memory holds `addr`, and that element: elements are told apart by their address,
    /// so that every order of visiting them is right.
    #[doc(hidden)]
    pub fn locate<'s, 'c, C: Elements + ?Sized>(&'s self, container: &'c C, addr: usize) -> Option<(&'s S, &'c C::Elem)>
    where
        C::Elem: Tapped,
    {
        let elements = container.elements();
        let index = offset(elements, addr).or_else(|| only(elements, |e| e.__taper_holds(addr)))?;
        Some((self.items.get(index)?, &elements[index]))
    }

    /// The same for elements of a foreign type.
    #[doc(hidden)]
    pub fn locate_foreign<'s, 'c, C: Elements + ?Sized>(
        &'s self,
        container: &'c C,
        addr: usize,
    ) -> Option<(&'s S, &'c C::Elem)> {
        let elements = container.elements();
        let index = offset(elements, addr)?;
        Some((self.items.get(index)?, &elements[index]))
    }
}

/// The index of the element at `addr`, which may lie inside it.
fn offset<T>(elements: &[T], addr: usize) -> Option<usize> {
    match size_of::<T>() {
        0 => (elements.len() == 1).then_some(0),
        size => {
            let index = addr.checked_sub(elements.as_ptr().addr())? / size;
            (index < elements.len()).then_some(index)
        }
    }
}

/// The one element that `holds`; none if several do, since then nothing tells them apart.
fn only<T>(elements: &[T], holds: impl Fn(&T) -> bool) -> Option<usize> {
    let mut found = (0..elements.len()).filter(|&i| holds(&elements[i]));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// A container of submodules that are told apart by their place.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a container whose elements can be tapped",
    note = "use a `Vec`, an array or a boxed slice, or mark the field `#[model(untapped)]`"
)]
pub trait Elements {
    /// The element.
    type Elem;

    #[doc(hidden)]
    fn elements(&self) -> &[Self::Elem];
}

impl<T> Elements for [T] {
    type Elem = T;
    fn elements(&self) -> &[T] {
        self
    }
}

impl<T> Elements for Vec<T> {
    type Elem = T;
    fn elements(&self) -> &[T] {
        self
    }
}

impl<T, const N: usize> Elements for [T; N] {
    type Elem = T;
    fn elements(&self) -> &[T] {
        self
    }
}

macro_rules! elements_through {
    ($($pointer:ty),*) => {$(
        impl<C: Elements + ?Sized> Elements for $pointer {
            type Elem = C::Elem;
            fn elements(&self) -> &[C::Elem] {
                (**self).elements()
            }
        }
    )*};
}
elements_through!(&C, Box<C>, std::sync::Arc<C>, std::rc::Rc<C>);

impl<S: Clone> Each<S> {
    /// Selects from every element: `t.blocks.each(|b| b.output)`.
    pub fn each<R>(&self, select: impl FnMut(S) -> R) -> Vec<R> {
        self.items.iter().cloned().map(select).collect()
    }

    /// The sites of one element, counted from the end if `index` is negative. Beyond the end, using what it returns is
    /// an error that names the field and its length.
    ///
    /// # Panics
    /// If there are no elements at all.
    #[track_caller]
    pub fn at(&self, index: isize) -> S {
        let len = self.items.len();
        let place = if index < 0 { len.checked_add_signed(index) } else { Some(index.unsigned_abs()) };
        match place.and_then(|i| self.items.get(i)) {
            Some(item) => item.clone(),
            None => match &self.beyond {
                Some(beyond) => (**beyond).clone(),
                None => panic!("`at({index})` is out of range: {}", self.known()),
            },
        }
    }

    fn part(&self, items: &[S]) -> &Each<S> {
        let mut parts = &self.parts;
        let mut part = Some(Each::new(self.node, self.tree, items.to_vec(), self.beyond.clone()));
        loop {
            let entry = parts.0.get_or_init(|| Box::new((part.take().expect("taken once"), Parts(OnceLock::new()))));
            if part.is_none() {
                return &entry.0;
            }
            parts = &entry.1;
        }
    }
}

impl<S> Each<S> {
    /// What is known without a name: how many elements there are, and of which type.
    fn known(&self) -> String {
        let kind = short(std::any::type_name::<S>());
        match self.items.len() {
            0 => format!("the field has no elements of type `{kind}`"),
            1 => format!("the field has 1 element of type `{kind}`, 0"),
            len => format!("the field has {len} elements of type `{kind}`, 0 to {}", len - 1),
        }
    }
}

impl<S> Index<usize> for Each<S> {
    type Output = S;

    #[track_caller]
    fn index(&self, index: usize) -> &S {
        match self.items.get(index) {
            Some(item) => item,
            None => panic!(
                "index {index} is out of range: {}; `at({index})` in its place is an error of the run, which names the field",
                self.known()
            ),
        }
    }
}

macro_rules! index_by {
    ($($range:ty),*) => {$(
        impl<S: Clone> Index<$range> for Each<S> {
            type Output = Each<S>;

            #[track_caller]
            fn index(&self, range: $range) -> &Each<S> {
                match self.items.get(range.clone()) {
                    Some(items) => self.part(items),
                    None => panic!("{range:?} is out of range: {}", self.known()),
                }
            }
        }
    )*};
}
index_by!(Range<usize>, RangeFrom<usize>, RangeTo<usize>, RangeInclusive<usize>, RangeToInclusive<usize>, RangeFull);

impl<S> Deref for Each<S> {
    type Target = [S];

    fn deref(&self) -> &[S] {
        &self.items
    }
}

impl<S> IntoIterator for Each<S> {
    type Item = S;
    type IntoIter = std::vec::IntoIter<S>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<S: Clone> Clone for Each<S> {
    fn clone(&self) -> Self {
        Each::new(self.node, self.tree, self.items.clone(), self.beyond.clone())
    }
}

impl<S: fmt::Debug> fmt::Debug for Each<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.items).finish()
    }
}

impl<S: Tree> Tree for Each<S> {
    type Value = Vec<S::Value>;
    type Item = S::Item;

    fn aim<'v>(&self, values: Option<&'v Self::Value>, aims: &mut Aims<'v, S::Item>) {
        aims.all(&self.items, values.map(Vec::as_slice));
    }

    fn span(&self) -> Span {
        // A part of an `Each` covers its own elements only.
        match (self.items.first(), self.items.last()) {
            (Some(first), Some(last)) => Span { first: first.span().first, ..last.span() },
            _ => Span { first: self.node, end: self.node, tree: self.tree },
        }
    }

    fn read_taps(&self, reader: &Reader<'_>) -> Result<Self::Value> {
        self.items.iter().map(|item| item.read_taps(reader)).collect()
    }

    fn visit(value: &Self::Value, visitor: &mut Visitor<'_>) {
        for (i, item) in value.iter().enumerate() {
            visitor.element::<S>(i, item);
        }
    }
}
