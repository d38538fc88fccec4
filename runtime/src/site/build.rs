//! Gives out the indices of a model's sites.

use std::any::{TypeId, type_name};

use candle_core::Tensor;

use super::each::Elements;
use super::{BEYOND, Each, Maybe, Site, Span, Visits};
use crate::names::{Container, ContainerKind, Entry, Names};
use crate::run::Seen;
use crate::tapped::Tapped;

/// Walks a model and gives out the indices of its sites, depth first. Names are made only when somebody reads them.
#[derive(Debug, Default)]
pub struct Builder {
    next: u32,
    tree: u64,
    /// How many `Each` there are so far.
    eaches: u32,
    /// Set while the sites beyond the end of an `Each` are made: which `Each`.
    beyond: Option<u32>,
    for_user: bool,
    /// The weights of the layers, if they are asked for.
    weights: Option<Vec<Tensor>>,
    layout: Layout,
    names: Option<Naming>,
}

/// What a pass needs to know of a tree of sites.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Number of indices.
    pub(crate) len: u32,
    /// First and last index of every model, inner ones first; the last is its `output`.
    pub(crate) scopes: Vec<(u32, u32)>,
    /// First index of every `Maybe` and `Visits`, and the one after its last; outer ones first.
    pub(crate) frames: Vec<(u32, u32)>,
    /// Indices of the values that are no call's: their code stands in a model's own body.
    pub(crate) taps: Vec<u32>,
    /// Outputs of the models of which a run may compute a part, so that passing one by is not coming by all in it.
    pub(crate) partial: Vec<u32>,
    /// Tells trees of different models apart.
    pub(crate) fingerprint: u64,
}

impl Layout {
    /// The output of the innermost model that the site stands in.
    pub(crate) fn scope_end(&self, index: u32) -> u32 {
        let scope = self.scopes.iter().find(|(first, last)| (*first..=*last).contains(&index));
        scope.map_or(self.len.saturating_sub(1), |(_, last)| *last)
    }

    /// The first site inside the model whose output this is; the site itself if it is not a model's.
    pub(crate) fn scope_before(&self, output: u32) -> u32 {
        self.scopes.binary_search_by_key(&output, |(_, last)| *last).map_or(output, |place| self.scopes[place].0)
    }

    /// The outputs of the models that the site stands in, as far as a run has one of each and computes all of it.
    pub(crate) fn scopes_around(&self, index: u32) -> impl Iterator<Item = u32> + '_ {
        let place = self.frames_around(index).next().unwrap_or(index);
        let around = self.scopes.iter().filter(move |(first, last)| *first <= place && place < *last);
        around.map(|(_, last)| *last).filter(|last| !self.partial.contains(last))
    }

    /// The `Maybe` or `Visits` of an index.
    pub(crate) fn frame_at(&self, node: u32) -> Span {
        let end = self.frames.iter().find(|(first, _)| *first == node).map_or(node + 1, |(_, end)| *end);
        Span { first: node, end, tree: self.fingerprint }
    }

    pub(crate) fn is_tap(&self, index: u32) -> bool {
        self.taps.contains(&index)
    }

    pub(crate) fn is_frame(&self, index: u32) -> bool {
        self.frames.iter().any(|(first, _)| *first == index)
    }

    /// The `Maybe`s and `Visits` that a site stands in, outermost first.
    pub(crate) fn frames_around(&self, index: u32) -> impl Iterator<Item = u32> + '_ {
        self.frames.iter().filter(move |(first, end)| *first < index && index < *end).map(|(first, _)| *first)
    }
}

#[derive(Debug, Default)]
struct Naming {
    names: Names,
    prefix: Vec<String>,
    within: Vec<Container>,
}

/// A name of its parts, with points between them. A part that begins with a slash brings what separates it.
fn joined(parts: &[String]) -> String {
    let mut name = String::new();
    for part in parts {
        if !name.is_empty() && !part.starts_with('/') {
            name.push('.');
        }
        name.push_str(part);
    }
    name
}

/// The indices of one model, while they are given out.
#[derive(Debug)]
pub struct Scope {
    first: u32,
    type_name: &'static str,
}

impl Builder {
    /// For the sites that a pass works with.
    pub(crate) fn for_pass() -> Self {
        Builder::default()
    }

    /// For the sites that a user gets, which carry the fingerprint.
    pub(crate) fn for_user(fingerprint: u64) -> Self {
        Builder { tree: fingerprint, for_user: true, ..Builder::default() }
    }

    /// Walks the model for the weights of its layers.
    pub(crate) fn for_weights() -> Self {
        Builder { weights: Some(Vec::new()), ..Builder::default() }
    }

    pub(crate) fn into_weights(self) -> Vec<Tensor> {
        self.weights.unwrap_or_default()
    }

    /// A model's own data, in which there may be tensors.
    pub fn data(&mut self, see: impl FnOnce() -> Seen) {
        if let Some(all) = &mut self.weights {
            see().tensors(all);
        }
    }

    /// The weights of a layer.
    pub(crate) fn holds<'t>(&mut self, weights: impl FnOnce() -> Vec<Option<&'t Tensor>>) {
        if let Some(all) = &mut self.weights {
            all.extend(weights().into_iter().flatten().cloned());
        }
    }

    pub(crate) fn for_names() -> Self {
        Builder { names: Some(Naming::default()), ..Builder::default() }
    }

    pub(crate) fn finish(mut self) -> (Layout, Names) {
        self.layout.len = self.next;
        // The number of sites closes the fingerprint; 0 and BEYOND are taken.
        self.mix(u64::from(self.next));
        self.layout.fingerprint = self.layout.fingerprint.clamp(1, BEYOND - 1);
        (self.layout, self.names.map(|n| n.names).unwrap_or_default())
    }

    fn mix(&mut self, value: u64) {
        // FNV-1a over whole words: cheap, and the trees of one program are few.
        self.layout.fingerprint = (self.layout.fingerprint ^ value).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(23);
    }

    fn index(&mut self) -> (u32, u64) {
        if let Some(node) = self.beyond {
            return (node, BEYOND);
        }
        let index = self.next;
        self.next += 1;
        (index, self.tree)
    }

    /// Begins the sites of a model.
    pub fn begin(&mut self, type_name: &'static str) -> Scope {
        for word in type_name.as_bytes().chunks(8) {
            let mut bytes = [0; 8];
            bytes[..word.len()].copy_from_slice(word);
            self.mix(u64::from_le_bytes(bytes));
        }
        Scope { first: self.next, type_name }
    }

    /// Tells trees of one type apart that are not of one model: those of a type whose sites are known when it runs.
    pub fn identify(&mut self, identity: u64) {
        self.mix(identity);
    }

    /// Ends the sites of a model, whose last is its `output`.
    pub fn end(&mut self, scope: Scope) {
        if self.beyond.is_some() {
            return;
        }
        let output = self.next - 1;
        // The output is not what its body computes in between, but what a call of the model gives.
        self.layout.taps.pop_if(|tap| *tap == output);
        self.layout.scopes.push((scope.first, output));
        if let Some(Naming { names, prefix, .. }) = &mut self.names {
            names.models.push((output, joined(prefix), scope.type_name));
        }
    }

    /// Ends the sites of a part of a model that stands for a call, of which a run computes what is needed and no more. What
    /// it gives ends it; it has no name, and is nobody's to select.
    pub fn end_part(&mut self, scope: Scope) -> Site<Vec<Tensor>> {
        let (output, tree) = self.index();
        self.layout.partial.push(output);
        self.end(scope);
        Site::new(output, tree)
    }

    fn named<R>(&mut self, name: &str, build: impl FnOnce(&mut Self) -> R) -> R {
        if let Some(naming) = &mut self.names {
            naming.prefix.push(name.to_owned());
        }
        let built = build(self);
        if let Some(naming) = &mut self.names {
            naming.prefix.pop();
        }
        built
    }

    /// A submodule.
    pub fn field<M: Tapped + ?Sized>(&mut self, name: &'static str, module: &M) -> M::Sites {
        self.named(name, |b| module.__taper_sites(b))
    }

    /// A value of a model's own body.
    pub fn tap<S: TapSites>(&mut self, name: &'static str) -> S {
        let first = self.next;
        let sites = self.named(name, |b| S::build(b));
        if self.beyond.is_none() {
            self.layout.taps.extend(first..self.next);
        }
        sites
    }

    /// Anything under a name.
    pub fn with<S>(&mut self, name: &str, build: impl FnOnce(&mut Self) -> S) -> S {
        self.named(name, build)
    }

    /// A site of its own.
    pub fn site<T: 'static>(&mut self) -> Site<T> {
        let (index, tree) = self.index();
        if let Some(Naming { names, prefix, within }) = &mut self.names {
            names.entries.push(Entry {
                name: joined(prefix),
                index,
                value: type_name::<T>(),
                type_id: TypeId::of::<T>(),
                within: within.clone(),
            });
        }
        Site::new(index, tree)
    }

    fn frame<S>(&mut self, kind: ContainerKind, build: Option<impl FnOnce(&mut Self) -> S>) -> (Span, Option<S>) {
        self.mix(u64::from(build.is_some()) + 2);
        let (first, tree) = self.index();
        let at = self.layout.frames.len();
        if let Some(Naming { names, prefix, within }) = &mut self.names {
            names.frames.push((first, joined(prefix)));
            within.push(Container { node: first, kind });
        }
        let inner = build.map(|build| build(self));
        if let Some(naming) = &mut self.names {
            naming.within.pop();
        }
        let end = if self.beyond.is_some() { first + 1 } else { self.next };
        if self.beyond.is_none() {
            self.layout.frames.insert(at, (first, end));
        }
        (Span { first, end, tree }, inner)
    }

    /// A submodule.
    pub fn once<M: Tapped + ?Sized>(&mut self, module: &M) -> M::Sites {
        module.__taper_sites(self)
    }

    /// An `Option` field, which may be absent.
    pub fn absent<M: Tapped>(&mut self, module: &Option<M>) -> Maybe<M::Sites> {
        module.__taper_sites(self)
    }

    /// A layer of which only the value is known.
    pub fn value<S: TapSites>(&mut self) -> S {
        S::build(self)
    }

    /// A submodule that a run may skip.
    pub fn maybe<M: Tapped + ?Sized>(&mut self, module: &M) -> Maybe<M::Sites> {
        self.maybe_with(Some(|b: &mut Self| module.__taper_sites(b)))
    }

    /// A submodule that a run may call any number of times.
    pub fn visits<M: Tapped + ?Sized>(&mut self, module: &M) -> Visits<M::Sites> {
        self.visits_with(Some(|b: &mut Self| module.__taper_sites(b)))
    }

    /// An `Option` field that a run may call any number of times.
    pub fn visits_option<M: Tapped>(&mut self, module: &Option<M>) -> Visits<M::Sites> {
        self.visits_with(module.as_ref().map(|module| |b: &mut Self| module.__taper_sites(b)))
    }

    /// What a run may skip.
    pub fn maybe_with<S>(&mut self, build: Option<impl FnOnce(&mut Self) -> S>) -> Maybe<S> {
        let (span, inner) = self.frame(ContainerKind::Maybe, build);
        Maybe { span, inner }
    }

    /// What a run may produce any number of times.
    pub fn visits_with<S>(&mut self, build: Option<impl FnOnce(&mut Self) -> S>) -> Visits<S> {
        let (span, inner) = self.frame(ContainerKind::Visits, build);
        Visits { span, inner }
    }

    /// The elements of a field.
    pub fn each<C: Elements + ?Sized, S>(
        &mut self,
        container: &C,
        build: impl Fn(&mut Self, &C::Elem) -> S,
    ) -> Each<S> {
        let elements = container.elements();
        self.mix(elements.len() as u64 + 4);
        // An `Each` has no value of its own, and so no index: it is known by its place among the others.
        let (node, tree) = match self.beyond {
            Some(place) => (place, BEYOND),
            None => (self.next, self.tree),
        };
        let place = self.eaches;
        self.eaches += u32::from(self.beyond.is_none());
        if let Some(Naming { names, prefix, .. }) = &mut self.names {
            names.eaches.push((joined(prefix), elements.len()));
        }
        let mut items = Vec::with_capacity(elements.len());
        for (i, element) in elements.iter().enumerate() {
            items.push(match self.names.is_some() {
                true => self.named(&i.to_string(), |b| build(b, element)),
                false => build(self, element),
            });
        }
        let beyond = match elements.first() {
            Some(element) if self.for_user && self.beyond.is_none() => {
                self.beyond = Some(place);
                let beyond = build(self, element);
                self.beyond = None;
                Some(Box::new(beyond))
            }
            _ => None,
        };
        Each::new(node, tree, items, beyond)
    }
}

/// Sites of a tapped value: plain, conditional or repeated.
pub trait TapSites {
    #[doc(hidden)]
    fn build(b: &mut Builder) -> Self;
}

impl<T: 'static> TapSites for Site<T> {
    fn build(b: &mut Builder) -> Self {
        b.site()
    }
}

impl<S: TapSites> TapSites for Maybe<S> {
    fn build(b: &mut Builder) -> Self {
        b.maybe_with(Some(S::build))
    }
}

impl<S: TapSites> TapSites for Visits<S> {
    fn build(b: &mut Builder) -> Self {
        b.visits_with(Some(S::build))
    }
}
