//! The table of names of a model's taps: look-ups by name, pattern and position, with near names in the errors.

mod named;

use std::any::TypeId;
use std::collections::HashSet;
use std::ops::Deref;

use candle_core::Tensor;

pub use named::NamedSite;

use crate::glob;
use crate::near::{did_you_mean, near};
use crate::select::short;
use crate::site::{Builder, Site};
use crate::tapped::Tapped;
use crate::{Error, Result};

/// Names of everything that has an index, made when somebody reads them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) entries: Vec<Entry>,
    /// Index and name of every `Maybe` and `Visits`.
    pub(crate) frames: Vec<(u32, String)>,
    /// Name and length of every `Each`.
    pub(crate) eaches: Vec<(String, usize)>,
    /// Output, name and type of every model, the whole last, whose name is empty.
    pub(crate) models: Vec<(u32, String, &'static str)>,
}

/// A tap.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) index: u32,
    pub(crate) value: &'static str,
    pub(crate) type_id: TypeId,
    /// What a run may skip or repeat around it, outermost first.
    pub(crate) within: Vec<Container>,
}

/// A `Maybe` or `Visits` around a tap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Container {
    pub(crate) node: u32,
    pub(crate) kind: ContainerKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContainerKind {
    Maybe,
    Visits,
}

impl Names {
    /// The name of a site, a `Maybe` or a `Visits`.
    pub(crate) fn of(&self, index: u32) -> String {
        let site = self.entries.iter().find(|e| e.index == index).map(|e| &e.name);
        let frame = || self.frames.iter().find(|(i, _)| *i == index).map(|(_, name)| name);
        site.or_else(frame).cloned().unwrap_or_else(|| format!("#{index}"))
    }

    /// The `Visits` around a site, outermost first.
    pub(crate) fn loops_around(&self, index: u32) -> Vec<u32> {
        let within = self.entries.iter().find(|e| e.index == index).map_or(&[][..], |e| &e.within);
        within.iter().filter(|c| c.kind == ContainerKind::Visits).map(|c| c.node).collect()
    }

    /// What a tap is called in a file of taps, all its visits being the first.
    pub(crate) fn first_visit(&self, entry: &Entry) -> String {
        let mut name = String::new();
        let mut plain = 0;
        for container in &entry.within {
            let whole = self.of(container.node);
            name.push_str(&whole[plain..]);
            plain = whole.len();
            if container.kind == ContainerKind::Visits {
                name.push_str(".0");
            }
        }
        name + &entry.name[plain..]
    }

    /// The sites whose values are of a type.
    pub(crate) fn of_type(&self, type_id: TypeId) -> HashSet<u32> {
        self.entries.iter().filter(|e| e.type_id == type_id).map(|e| e.index).collect()
    }

    /// Name and type of the model whose output this is.
    pub(crate) fn model_of(&self, output: u32) -> Option<(&str, &str)> {
        let (_, name, ty) = self.models.iter().find(|(index, ..)| *index == output)?;
        Some((name, short(ty)))
    }

    /// Name and length of an `Each`.
    pub(crate) fn each(&self, place: u32) -> Option<(&str, usize)> {
        self.eaches.get(place as usize).map(|(name, len)| (name.as_str(), *len))
    }

    /// The innermost element of an `Each` that a site stands in, and the field.
    pub(crate) fn element_of(&self, index: u32) -> Option<(String, String)> {
        let name = &self.entries.iter().find(|e| e.index == index)?.name;
        let inside = |field: &str| {
            let rest = name.strip_prefix(field)?.strip_prefix('.')?;
            let number = rest.split('.').next()?;
            Some((format!("{field}.{number}"), field.to_owned()))
        };
        self.eaches.iter().rev().find_map(|(field, _)| inside(field))
    }
}

/// What a pass asks a model when it has to say something.
pub(crate) trait Describe {
    #[doc(hidden)]
    fn names(&self) -> Names;
    #[doc(hidden)]
    fn type_name(&self) -> &'static str;
}

impl<M: Tapped> Describe for M {
    fn names(&self) -> Names {
        let mut builder = Builder::for_names();
        self.__taper_sites(&mut builder);
        builder.finish().1
    }

    fn type_name(&self) -> &'static str {
        short(std::any::type_name::<M>())
    }
}

/// All sites of a model, typed and by name: what `model.sites()` gives.
///
/// It dereferences to the generated `…Sites`, so `sites.blocks[3].output` works as in a closure.
///
/// ```
/// # use taper::{Model, forward, candle_core::{Device, DType, Result, Tensor}, candle_nn::{Linear, linear, VarBuilder, Module}};
/// # #[derive(Model)]
/// # pub struct Net {
/// #     #[load(linear(4, 4))]
/// #     pub first: Linear,
/// #     #[load(linear(4, 2))]
/// #     pub last: Linear,
/// # }
/// # #[forward]
/// # impl Net {
/// #     pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
/// #         self.last.forward(&self.first.forward(x)?.relu()?)
/// #     }
/// # }
/// # let net = Net::load(VarBuilder::zeros(DType::F32, &Device::Cpu))?;
/// # let x = Tensor::zeros((2, 4), DType::F32, &Device::Cpu)?;
/// let sites = net.sites();
/// let names: Vec<_> = sites.iter().map(|named| named.name().to_owned()).collect();
/// assert_eq!(names, ["first", "last", "output"]);
/// let first = net.capture(&x, |_| sites.find("first"))?;
/// assert_eq!(first.dims(), [2, 4]);
/// let error = sites.find("frist").unwrap_err().to_string();
/// assert!(error.contains("did you mean `first`"), "{error}");
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SiteTable<S> {
    sites: S,
    tree: u64,
    model: &'static str,
    entries: Vec<Entry>,
}

impl<S> Deref for SiteTable<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.sites
    }
}

impl<S> SiteTable<S> {
    pub(crate) fn of<M: Tapped<Sites = S>>(model: &M) -> Self {
        let mut builder = Builder::for_names();
        model.__taper_sites(&mut builder);
        let (layout, names) = builder.finish();
        let mut builder = Builder::for_user(layout.fingerprint);
        let sites = model.__taper_sites(&mut builder);
        SiteTable { sites, tree: layout.fingerprint, model: model.type_name(), entries: names.entries }
    }

    /// Every tap, in order of declaration.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = NamedSite> + '_ {
        self.entries.iter().map(|entry| NamedSite { entry: entry.clone(), tree: self.tree })
    }

    /// Number of taps.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never: a model has an output.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The tap of a name such as `blocks.3.attn.pattern`.
    ///
    /// # Errors
    /// An unknown name, with near ones; a tap that is conditional or repeated (see [`find_any`](Self::find_any)); a
    /// value that is not a `Tensor`.
    pub fn find(&self, name: &str) -> Result<Site<Tensor>> {
        self.find_any(name)?.site()
    }

    /// The tap of a name, conditional and repeated ones included.
    ///
    /// # Errors
    /// An unknown name, with near ones.
    pub fn find_any(&self, name: &str) -> Result<NamedSite> {
        self.iter().find(|named| named.name() == name).ok_or_else(|| self.unknown(name))
    }

    /// The tap at a position in the order of declaration, from the end if negative.
    ///
    /// # Errors
    /// A position out of range; otherwise as [`find`](Self::find).
    pub fn nth(&self, position: isize) -> Result<Site<Tensor>> {
        let len = self.len();
        let place = if position < 0 { len.checked_add_signed(position) } else { Some(position.unsigned_abs()) };
        match place.and_then(|i| self.iter().nth(i)) {
            Some(named) => named.site(),
            None => Err(Error::Msg(format!(
                "there is no tap {position}: `{}` has {len}, numbered 0 to {} or -{len} to -1",
                self.model,
                len.saturating_sub(1),
            ))),
        }
    }

    /// The taps whose names match a pattern, in order of declaration: `*` stands for any part of a name between dots,
    /// `**` for anything, `?` for one character.
    ///
    /// # Errors
    /// No tap matches; one that matches is conditional, repeated or not a `Tensor` (see
    /// [`matching_any`](Self::matching_any)).
    pub fn matching(&self, pattern: &str) -> Result<Vec<Site<Tensor>>> {
        self.matching_any(pattern)?.iter().map(NamedSite::site).collect()
    }

    /// As [`matching`](Self::matching), conditional and repeated taps included.
    ///
    /// # Errors
    /// No tap matches.
    pub fn matching_any(&self, pattern: &str) -> Result<Vec<NamedSite>> {
        let found: Vec<_> = self.iter().filter(|named| glob::matches(pattern, named.name())).collect();
        if found.is_empty() {
            return Err(Error::Msg(format!(
                "no tap of `{}` matches `{pattern}`{}; `*` stands for one part between dots, `**` for several",
                self.model,
                self.near(pattern)
            )));
        }
        Ok(found)
    }

    fn unknown(&self, name: &str) -> Error {
        let inside = format!("{name}.");
        if let Some(first) = self.entries.iter().find(|e| e.name.starts_with(&inside)) {
            let output = format!("{name}.output");
            let tap = if self.entries.iter().any(|e| e.name == output) { &output } else { &first.name };
            return Error::Msg(format!(
                "`{name}` of `{}` is a submodule, not a tap; a tap in it is `{tap}`",
                self.model
            ));
        }
        Error::Msg(format!("`{}` has no tap `{name}`{}", self.model, self.near(name)))
    }

    fn near(&self, name: &str) -> String {
        match &near(name, self.entries.iter().map(|entry| (&entry.name, &entry.name)))[..] {
            [] => format!("; it has {}", self.some()),
            near => did_you_mean(near),
        }
    }

    fn some(&self) -> String {
        const SHOWN: usize = 8;
        let shown: Vec<_> = self.entries.iter().take(SHOWN).map(|e| format!("`{}`", e.name)).collect();
        let more = self.len().saturating_sub(SHOWN);
        if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
    }
}
