//! The faults of a strict loading as one message.

use std::fmt;

use candle_core::{DType, Shape};

use super::backend::{Fault, Log};
use super::{Allowed, Tensors};
use crate::near::slips;

/// How many faults of a kind are told one by one.
const SHOWN: usize = 20;

pub(super) struct Report<'a> {
    tensors: &'a Tensors,
    missing: Vec<Named<'a>>,
    other_shape: Vec<(&'a str, &'a Shape, &'a Shape)>,
    other_dtype: Vec<(&'a str, DType, &'a str)>,
    twice: Vec<(&'a str, &'a str, &'a str)>,
    /// What nobody asked for: the other names of what is missing are among it.
    free: Vec<Named<'a>>,
    /// The part of `free` that is a fault.
    unused: Vec<Named<'a>>,
}

#[derive(Clone, Copy)]
struct Named<'a> {
    name: &'a str,
    shape: Option<&'a Shape>,
}

impl<'a> Report<'a> {
    /// `whole`: the loader came to its end, so that what it did not ask for is unused.
    pub(super) fn new(tensors: &'a Tensors, log: &'a Log, allowed: &[Allowed], whole: bool) -> Self {
        let mut missing = Vec::new();
        let (mut other_shape, mut other_dtype, mut twice) = (Vec::new(), Vec::new(), Vec::new());
        for fault in &log.faults {
            match fault {
                Fault::Missing { name, asked } => missing.push(Named { name, shape: asked.as_ref() }),
                Fault::OtherShape { name, asked, found } => other_shape.push((name.as_str(), asked, found)),
                Fault::OtherDType { name, asked, found } => other_dtype.push((name.as_str(), *asked, found.as_str())),
                Fault::Twice { name, first, second } => twice.push((name.as_str(), first.as_str(), second.as_str())),
            }
        }
        let not_asked = tensors.index.iter().filter(|(name, _)| !log.asked.contains_key(*name));
        let free: Vec<_> = not_asked.map(|(name, entry)| Named { name, shape: Some(&entry.shape) }).collect();
        let harmless = |name: &str| allowed.iter().any(|allowed| allowed(name)) || is_counter(name, log);
        let is_fault = |named: &&Named| whole && !harmless(named.name);
        let unused = free.iter().filter(is_fault).copied().collect();
        Self { tensors, missing, other_shape, other_dtype, twice, free, unused }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts().iter().all(|(count, _)| *count == 0)
    }

    fn counts(&self) -> [(usize, &'static str); 5] {
        [
            (self.missing.len(), "missing"),
            (self.other_shape.len(), "of another shape"),
            (self.other_dtype.len(), "of another dtype"),
            (self.twice.len(), "asked for twice"),
            (self.unused.len(), "unused"),
        ]
    }

    /// The commonest reason for many faults: one side has a prefix that the other lacks.
    fn hint(&self) -> Option<String> {
        let [first, _, ..] = self.missing.as_slice() else { return None };
        let every = |other_name: &dyn Fn(&str, &str) -> bool| {
            self.missing.iter().all(|missing| self.free.iter().any(|free| other_name(missing.name, free.name)))
        };
        self.free.iter().find_map(|free| {
            let more = prefix_of(first.name, free.name);
            let less = prefix_of(free.name, first.name);
            if let Some(prefix) = more.filter(|prefix| every(&|m, f| prefix_of(m, f) == Some(prefix))) {
                return Some(format!(
                    "every missing name is there without `{prefix}.`; load `weights.prefixed(\"{prefix}\")`"
                ));
            }
            let prefix = less.filter(|prefix| every(&|m, f| prefix_of(f, m) == Some(prefix)))?;
            Some(format!("every missing name is there below `{prefix}.`; give the loader `vb.pp(\"{prefix}\")`"))
        })
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts();
        let counts: Vec<_> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, kind)| format!("{n} {kind}")).collect();
        write!(f, "the model and {} do not fit: {}", self.tensors, counts.join(", "))?;
        if let Some(hint) = self.hint() {
            write!(f, "\n  {hint}")?;
        }
        lines(f, "missing", &self.missing, |f, missing| {
            write!(f, "\n  missing {missing}")?;
            match near(*missing, &self.free) {
                Some(near) => write!(f, ", did you mean {near}?"),
                None => Ok(()),
            }
        })?;
        lines(f, "of another shape", &self.other_shape, |f, (name, asked, found)| {
            write!(f, "\n  shape of `{name}`: the model asks for {asked:?}, there is {found:?}")
        })?;
        lines(f, "of another dtype", &self.other_dtype, |f, (name, asked, found)| {
            write!(f, "\n  dtype of `{name}`: the model needs {asked:?}, and there it is {found}")
        })?;
        lines(f, "asked for twice", &self.twice, |f, (name, first, second)| {
            write!(f, "\n  `{name}` would be both `{first}` and `{second}`")
        })?;
        lines(f, "unused", &self.unused, |f, unused| {
            write!(f, "\n  unused {unused}")?;
            match near(*unused, &self.missing) {
                Some(near) => write!(f, ", near the missing {near}"),
                None => Ok(()),
            }
        })
    }
}

/// PyTorch's batch norms count the batches that they saw, which candle's do not; no value depends on it. Where the norm
/// itself was loaded, its counter is not left over.
fn is_counter(name: &str, log: &Log) -> bool {
    let norm = name.strip_suffix("num_batches_tracked").filter(|norm| norm.is_empty() || norm.ends_with('.'));
    norm.is_some_and(|norm| log.asked.contains_key(&format!("{norm}running_mean")))
}

/// The first faults of a kind, and how many there are beside.
fn lines<T>(
    f: &mut fmt::Formatter<'_>,
    kind: &str,
    faults: &[T],
    mut line: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for fault in faults.iter().take(SHOWN) {
        line(f, fault)?;
    }
    match faults.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, "\n  and {more} more {kind}"),
    }
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name)?;
        match self.shape {
            Some(shape) => write!(f, " {shape:?}"),
            None => Ok(()),
        }
    }
}

/// `a.b` of `a.b.c.d` and `c.d`.
fn prefix_of<'a>(long: &'a str, short: &str) -> Option<&'a str> {
    long.strip_suffix(short)?.strip_suffix('.')
}

/// The name most like `named`, if one is like it; among equals one of the same shape.
fn near<'a>(named: Named, among: &[Named<'a>]) -> Option<Named<'a>> {
    let distance = |other: &Named| {
        let distance = distance(named.name, other.name)?;
        Some((distance, other.shape != named.shape))
    };
    among
        .iter()
        .filter_map(|other| Some((distance(other)?, *other)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, n)| n)
}

fn distance(a: &str, b: &str) -> Option<usize> {
    if prefix_of(a, b).is_some() || prefix_of(b, a).is_some() {
        return Some(0);
    }
    // Names in one file share most of their letters (`h.0.ln_1.weight`, `h.0.ln_1.bias`), so few may differ.
    let most = 2 + a.len() / 8;
    slips(a, b, most)
}
