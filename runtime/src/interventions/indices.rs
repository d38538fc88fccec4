//! Which places along a dimension are meant.

use std::fmt;
use std::ops::{Bound, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use candle_core::{Device, Tensor, bail};

use crate::Result;

/// Places along a dimension: an index, a range, or a list of indices. Negative ones count from the end, as in Python.
///
/// Made from what it looks like: `3`, `-1`, `2..4`, `-3..`, `..=-2`, `..`, `[0, 5]`, a `Vec` or a slice. `1..-1` is all
/// but the first and the last; clippy takes that for a mistake, and is content with `1..` of `..-1` (see [`at`]).
///
/// [`at`]: super::at
///
/// ```
/// use taper::interventions::Indices;
/// let last = Indices::from(-1);
/// assert_eq!(last.to_string(), "-1");
/// assert_eq!(Indices::from(2..4).to_string(), "2..4");
/// assert_eq!(Indices::from([0, 5]).to_string(), "[0, 5]");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indices(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    One(isize),
    Range(Bound<isize>, Bound<isize>),
    List(Vec<isize>),
}

macro_rules! from_integer {
    ($($int:ty),*) => {$(
        impl From<$int> for Indices {
            fn from(index: $int) -> Self {
                Indices(Kind::One(signed(index)))
            }
        }
        impl From<Vec<$int>> for Indices {
            fn from(indices: Vec<$int>) -> Self {
                Indices::from(indices.as_slice())
            }
        }
        impl From<&[$int]> for Indices {
            fn from(indices: &[$int]) -> Self {
                Indices(Kind::List(indices.iter().map(|&index| signed(index)).collect()))
            }
        }
        impl<const N: usize> From<[$int; N]> for Indices {
            fn from(indices: [$int; N]) -> Self {
                Indices::from(indices.as_slice())
            }
        }
        from_range!($int: Range, RangeInclusive, RangeFrom, RangeTo, RangeToInclusive);
    )*};
}
macro_rules! from_range {
    ($int:ty: $($range:ident),*) => {$(
        impl From<$range<$int>> for Indices {
            fn from(range: $range<$int>) -> Self {
                Indices(Kind::Range(range.start_bound().map(|&i| signed(i)), range.end_bound().map(|&i| signed(i))))
            }
        }
    )*};
}
from_integer!(i32, i64, isize, u32, u64, usize);

impl From<RangeFull> for Indices {
    fn from(_: RangeFull) -> Self {
        Indices(Kind::Range(Bound::Unbounded, Bound::Unbounded))
    }
}

// No tensor is so large: what does not fit is out of range either way.
fn signed(index: impl TryInto<isize>) -> isize {
    index.try_into().unwrap_or(isize::MAX)
}

impl fmt::Display for Indices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |bound: &Bound<isize>| match bound {
            Bound::Included(i) | Bound::Excluded(i) => i.to_string(),
            Bound::Unbounded => String::new(),
        };
        match &self.0 {
            Kind::One(index) => write!(f, "{index}"),
            Kind::List(indices) => write!(f, "{indices:?}"),
            Kind::Range(start, end @ Bound::Included(_)) => write!(f, "{}..={}", bound(start), bound(end)),
            Kind::Range(start, end) => write!(f, "{}..{}", bound(start), bound(end)),
        }
    }
}

/// The places of one tensor.
pub(super) enum Places {
    Run { start: usize, len: usize },
    List(Vec<usize>),
}

impl Indices {
    /// The places along a dimension, or what is wrong with them.
    pub(super) fn resolve(&self, what: &str, x: &Tensor, dim: usize) -> Result<Places> {
        let at = Along { what, indices: self, x, dim };
        match &self.0 {
            Kind::One(index) => Ok(Places::Run { start: at.index(*index)?, len: 1 }),
            Kind::Range(start, end) => at.range(*start, *end),
            Kind::List(list) => Ok(Places::of(list.iter().map(|&i| at.index(i)).collect::<Result<_>>()?)),
        }
    }
}

/// A dimension of a tensor, for errors.
struct Along<'a> {
    what: &'a str,
    indices: &'a Indices,
    x: &'a Tensor,
    dim: usize,
}

impl Along<'_> {
    fn len(&self) -> usize {
        self.x.dims()[self.dim]
    }

    fn fault<T>(&self, fault: impl fmt::Display) -> Result<T> {
        let Along { what, indices, x, dim } = self;
        bail!("`{what}` of `{indices}` along dimension {dim} of a tensor of shape {:?}: {fault}", x.dims())
    }

    fn index(&self, index: isize) -> Result<usize> {
        let len = self.len();
        let place = if index < 0 { len.checked_add_signed(index) } else { Some(index.unsigned_abs()) };
        match place.filter(|&place| place < len) {
            Some(place) => Ok(place),
            None if len == 0 => self.fault("the dimension is empty, use an empty range"),
            None => self.fault(format_args!("{index} is out of range, use {} to {}", -(len as isize), len - 1)),
        }
    }

    /// A bound may also stand at the end.
    fn bound(&self, index: isize) -> Result<usize> {
        let len = self.len();
        let place = if index < 0 { len.checked_add_signed(index) } else { Some(index.unsigned_abs()) };
        match place.filter(|&place| place <= len) {
            Some(place) => Ok(place),
            None => self.fault(format_args!("{index} is out of range, use {} to {len}", -(len as isize))),
        }
    }

    fn range(&self, start: Bound<isize>, end: Bound<isize>) -> Result<Places> {
        let start = match start {
            Bound::Included(start) => self.bound(start)?,
            // Not made by any of the conversions.
            Bound::Excluded(start) => self.index(start)? + 1,
            Bound::Unbounded => 0,
        };
        let end = match end {
            Bound::Included(end) => self.index(end)? + 1,
            Bound::Excluded(end) => self.bound(end)?,
            Bound::Unbounded => self.len(),
        };
        match end.checked_sub(start) {
            Some(len) => Ok(Places::Run { start, len }),
            None => self.fault(format_args!("it starts at {start}, after its end at {end}, swap them")),
        }
    }
}

impl Places {
    fn of(list: Vec<usize>) -> Self {
        match list.first() {
            Some(&start) if list.iter().enumerate().all(|(i, &place)| place == start + i) => {
                Places::Run { start, len: list.len() }
            }
            _ => Places::List(list),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Places::Run { len, .. } => *len == 0,
            Places::List(list) => list.is_empty(),
        }
    }

    pub(super) fn to_list(&self) -> Vec<usize> {
        match self {
            Places::Run { start, len } => (*start..start + len).collect(),
            Places::List(list) => list.clone(),
        }
    }

    /// A place that is named twice.
    pub(super) fn repeated(&self) -> Option<usize> {
        let Places::List(list) = self else { return None };
        let mut sorted = list.clone();
        sorted.sort_unstable();
        sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    }

    /// Those places of `x`, in their order.
    pub(super) fn take(&self, x: &Tensor, dim: usize) -> Result<Tensor> {
        match self {
            Places::Run { start, len } => x.narrow(dim, *start, *len),
            Places::List(list) => select(x, dim, list),
        }
    }

    /// `x` with `new` at those places, which are not repeated.
    pub(super) fn put(&self, x: &Tensor, dim: usize, new: &Tensor) -> Result<Tensor> {
        let size = x.dims()[dim];
        match self {
            Places::Run { start, len } => {
                let end = start + len;
                let parts = [x.narrow(dim, 0, *start)?, new.clone(), x.narrow(dim, end, size - end)?];
                let parts: Vec<_> = parts.into_iter().filter(|part| part.dims()[dim] > 0).collect();
                Tensor::cat(&parts, dim)
            }
            Places::List(list) => {
                let mut from: Vec<usize> = (0..size).collect();
                for (i, &place) in list.iter().enumerate() {
                    from[place] = size + i;
                }
                select(&Tensor::cat(&[x, new], dim)?, dim, &from)
            }
        }
    }
}

/// PyTorch's `index_select`.
pub(super) fn select(x: &Tensor, dim: usize, places: &[usize]) -> Result<Tensor> {
    x.contiguous()?.index_select(&ids(places, x.device())?, dim)
}

fn ids(places: &[usize], device: &Device) -> Result<Tensor> {
    // candle takes the largest value of the type for "none".
    match places.iter().all(|&place| place < u32::MAX as usize) {
        true => Tensor::from_vec(places.iter().map(|&p| p as u32).collect(), places.len(), device),
        false => Tensor::from_vec(places.iter().map(|&p| p as i64).collect(), places.len(), device),
    }
}
