//! What every generated `…Taps` can do, without doing it.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use crate::Result;
use crate::pass::unimplemented;
use crate::site::Tree;
use crate::tapped::Tapped;

pub struct Visitor<'v>(PhantomData<&'v ()>);

impl Visitor<'_> {
    pub fn field<S: Tree>(&mut self, _name: &str, _value: &S::Value) {}
}

pub fn debug<S: Tree>(type_name: &str, _taps: &S::Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(type_name)
}

pub fn save<S: Tree>(_taps: &S::Value, _model: &str, _path: &Path) -> Result<()> {
    unimplemented()
}

pub fn load<M: Tapped>(_model: &M, _path: &Path) -> Result<M::Taps> {
    unimplemented()
}
