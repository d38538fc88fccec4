//! Sites without numbers.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use crate::Result;
use crate::pass::{Reader, unimplemented};
use crate::tapped::Tapped;
use crate::taps::Visitor;

pub struct Site<T>(PhantomData<fn() -> T>);
#[derive(Clone, Debug)]
pub struct Each<S>(Vec<S>);
#[derive(Clone, Debug)]
pub struct Maybe<S>(PhantomData<S>);
#[derive(Clone, Debug)]
pub struct Visits<S>(PhantomData<S>);

impl<T> Clone for Site<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Site<T> {}

impl<T> fmt::Debug for Site<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Site")
    }
}

impl<S> Deref for Each<S> {
    type Target = [S];

    fn deref(&self) -> &[S] {
        &self.0
    }
}

impl<S> Each<S> {
    pub fn locate<'s, 'c, C: Elements + ?Sized>(
        &'s self,
        _container: &'c C,
        _addr: usize,
    ) -> Option<(&'s S, &'c C::Elem)> {
        None
    }

    pub fn locate_foreign<'s, 'c, C: Elements + ?Sized>(
        &'s self,
        _container: &'c C,
        _addr: usize,
    ) -> Option<(&'s S, &'c C::Elem)> {
        None
    }
}

pub trait Elements {
    type Elem;
}

impl<T> Elements for [T] {
    type Elem = T;
}

impl<T> Elements for Vec<T> {
    type Elem = T;
}

impl<T, const N: usize> Elements for [T; N] {
    type Elem = T;
}

// What models of sites without types have; macros write none.
pub struct Around;
pub struct Framed;
pub struct Visited;

#[derive(Clone, Copy)]
pub struct Span {
    pub first: u32,
    pub end: u32,
}

pub trait Tree: Clone + fmt::Debug {
    type Value: Clone;
    type Item: Clone + 'static;

    fn span(&self) -> Span {
        Span { first: 0, end: 0 }
    }

    fn read_taps(&self, _reader: &Reader<'_>) -> Result<Self::Value> {
        unimplemented()
    }

    fn visit(_value: &Self::Value, _visitor: &mut Visitor<'_>) {}
}

impl<T: Clone + 'static> Tree for Site<T> {
    type Value = T;
    type Item = T;
}

impl<S: Tree> Tree for Each<S> {
    type Value = Vec<S::Value>;
    type Item = S::Item;
}

impl<S: Tree> Tree for Maybe<S> {
    type Value = Option<S::Value>;
    type Item = S::Item;
}

impl<S: Tree> Tree for Visits<S> {
    type Value = Vec<S::Value>;
    type Item = S::Item;
}

pub struct Builder;
pub struct Scope;

impl Builder {
    pub fn data(&mut self, _see: impl FnOnce() -> crate::run::Seen) {}

    pub fn begin(&mut self, _type_name: &'static str) -> Scope {
        Scope
    }

    pub fn end(&mut self, _scope: Scope) {}

    pub fn field<M: Tapped + ?Sized>(&mut self, _name: &'static str, _module: &M) -> M::Sites {
        unimplemented()
    }

    pub fn tap<S: TapSites>(&mut self, _name: &'static str) -> S {
        unimplemented()
    }

    pub fn value<S: TapSites>(&mut self) -> S {
        unimplemented()
    }

    pub fn with<S>(&mut self, _name: &'static str, build: impl FnOnce(&mut Self) -> S) -> S {
        build(self)
    }

    pub fn site<T>(&mut self) -> Site<T> {
        Site(PhantomData)
    }

    pub fn once<M: Tapped + ?Sized>(&mut self, _module: &M) -> M::Sites {
        unimplemented()
    }

    pub fn absent<M: Tapped>(&mut self, _module: &Option<M>) -> Maybe<M::Sites> {
        Maybe(PhantomData)
    }

    pub fn maybe<M: Tapped + ?Sized>(&mut self, _module: &M) -> Maybe<M::Sites> {
        Maybe(PhantomData)
    }

    pub fn visits<M: Tapped + ?Sized>(&mut self, _module: &M) -> Visits<M::Sites> {
        Visits(PhantomData)
    }

    pub fn visits_option<M: Tapped>(&mut self, _module: &Option<M>) -> Visits<M::Sites> {
        Visits(PhantomData)
    }

    pub fn maybe_with<S>(&mut self, _build: Option<impl FnOnce(&mut Self) -> S>) -> Maybe<S> {
        Maybe(PhantomData)
    }

    pub fn each<C: Elements + ?Sized, S>(
        &mut self,
        _container: &C,
        _build: impl Fn(&mut Self, &C::Elem) -> S,
    ) -> Each<S> {
        Each(Vec::new())
    }
}

pub trait TapSites {}

impl<T> TapSites for Site<T> {}
impl<S: TapSites> TapSites for Maybe<S> {}
impl<S: TapSites> TapSites for Visits<S> {}
