//! A tap that was found by its name, as a selection and as the target of a change.

use std::any::TypeId;
use std::fmt;

use candle_core::Tensor;

use super::{ContainerKind, Entry};
use crate::pass::{Reader, Slots};
use crate::select::{Aims, Selection, Targets, Wants};
use crate::site::{Site, Span};
use crate::{Error, Result};

/// A tap with its name: an element of [`SiteTable::iter`](super::SiteTable::iter).
///
/// As a selection it gives the tensors of all its visits, in order of production; a plain tap has one.
#[derive(Clone, Debug)]
pub struct NamedSite {
    pub(super) entry: Entry,
    pub(super) tree: u64,
}

impl NamedSite {
    /// The dotted name, `blocks.3.attn.pattern`. Visits are not numbered.
    pub fn name(&self) -> &str {
        &self.entry.name
    }

    /// Whether a run may skip the tap.
    pub fn is_conditional(&self) -> bool {
        self.entry.within.iter().any(|c| c.kind == ContainerKind::Maybe)
    }

    /// Whether a run may produce the tap more than once.
    pub fn is_repeated(&self) -> bool {
        self.entry.within.iter().any(|c| c.kind == ContainerKind::Visits)
    }

    /// The type of one value, with its path.
    pub fn type_name(&self) -> &'static str {
        self.entry.value
    }

    /// The plain site.
    ///
    /// # Errors
    /// A tap that is conditional or repeated, or whose value is not a `Tensor`.
    pub fn site(&self) -> Result<Site<Tensor>> {
        let name = self.name();
        self.is_tensor()?;
        if self.entry.within.is_empty() {
            return Ok(Site::new(self.entry.index, self.tree));
        }
        let what = if self.is_repeated() { "repeated" } else { "conditional" };
        Err(Error::Msg(format!(
            "`{name}` is {what}, so that a run has no single value of it; use `find_any` or `matching_any`, which give all its \
             values, or its typed field"
        )))
    }

    /// Whether it stands in a branch or loop within another.
    pub(crate) fn is_nested(&self) -> bool {
        self.entry.within.len() > 1
    }

    pub(crate) fn index(&self) -> u32 {
        self.entry.index
    }

    pub(crate) fn is_tensor(&self) -> Result<()> {
        if self.entry.type_id == TypeId::of::<Tensor>() {
            return Ok(());
        }
        let (name, value) = (self.name(), self.type_name());
        Err(Error::Msg(format!("`{name}` is a `{value}`, not a `Tensor`; select it by its typed field")))
    }

    fn span(&self, index: u32) -> Span {
        Span { first: index, end: index + 1, tree: self.tree }
    }
}

impl fmt::Display for NamedSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.type_name();
        let mut shown = value.rsplit("::").next().unwrap_or(value).to_owned();
        if value.contains('<') {
            shown = value.to_owned();
        }
        for container in self.entry.within.iter().rev() {
            shown = match container.kind {
                ContainerKind::Maybe => format!("Option<{shown}>"),
                ContainerKind::Visits => format!("Vec<{shown}>"),
            };
        }
        f.pad(&format!("{}: {shown}", self.name()))
    }
}

impl Selection for NamedSite {
    type Value = Vec<Tensor>;

    fn want<'s>(&'s self, wants: &mut Wants<'s>) {
        self.entry.within.iter().for_each(|c| wants.frame(self.span(c.node)));
        wants.span(self.span(self.entry.index));
    }

    fn read(&self, reader: &Reader<'_>) -> Result<Vec<Tensor>> {
        self.is_tensor()?;
        let mut readers = vec![*reader];
        for container in &self.entry.within {
            readers = readers
                .iter()
                .flat_map(|r| r.frames(container.node).iter().map(|frame: &Slots| r.within(frame)))
                .collect();
        }
        readers.iter().map(|r| r.value(self.entry.index)).collect()
    }
}

impl Targets for NamedSite {
    type Item = Tensor;

    /// Without values: all visits. With values: one for each visit, in order of production.
    fn targets<'v>(&self, values: Option<&'v Vec<Tensor>>, aims: &mut Aims<'v, Tensor>) {
        let span = self.span(self.entry.index);
        if let Err(error) = self.is_tensor() {
            return aims.fail(error.to_string());
        }
        match (values, self.entry.within.as_slice()) {
            (None, _) => aims.site(span, None),
            (Some(values), [container]) => aims.visits(container.node, Some(values), |aims, v| aims.site(span, v)),
            (Some(values), []) if values.len() == 1 => aims.site(span, values.first()),
            (Some(values), []) => {
                aims.fail(format!("{} values were given for `{}`, which has one", values.len(), self.name()));
            }
            (Some(_), _) => aims.fail(format!(
                "`{}` is repeated within what is repeated, so that values in a row can't be told apart; give them by the \
                 typed field",
                self.name()
            )),
        }
    }
}
