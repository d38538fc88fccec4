//! Walks the values of taps with their names.

use std::any::Any;

use crate::site::Tree;

/// Walks the values of taps, and tells a function the name and type of each.
pub struct Visitor<'v> {
    name: String,
    found: &'v mut dyn FnMut(&str, &dyn Any, &'static str),
}

impl<'v> Visitor<'v> {
    pub(crate) fn new(found: &'v mut dyn FnMut(&str, &dyn Any, &'static str)) -> Self {
        Visitor { name: String::new(), found }
    }

    /// A field, whose sites are an `S`.
    pub fn field<S: Tree>(&mut self, name: &str, value: &S::Value) {
        let outer = self.name.len();
        if outer > 0 {
            self.name.push('.');
        }
        self.name.push_str(name);
        S::visit(value, self);
        self.name.truncate(outer);
    }

    pub(crate) fn element<S: Tree>(&mut self, index: usize, value: &S::Value) {
        self.field::<S>(&index.to_string(), value);
    }

    pub(crate) fn value(&mut self, value: &dyn Any, type_name: &'static str) {
        (self.found)(&self.name, value, type_name);
    }
}
