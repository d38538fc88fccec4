//! `SavedObjectGraph`: the Python objects behind the functions, as far as weights and names are concerned.

use std::collections::BTreeMap;

use super::wire::{entry, fields};
use crate::Result;

/// Objects, by number, and what every function captures of them.
#[derive(Debug, Default)]
pub struct ObjectGraph<'a> {
    pub objects: Vec<Object<'a>>,
    /// The objects that a function takes after its own arguments.
    pub bound: BTreeMap<&'a str, Vec<i64>>,
}

/// An object.
#[derive(Debug, Default)]
pub struct Object<'a> {
    /// Number and name of those that it holds.
    pub children: Vec<(i64, &'a str)>,
    pub kind: ObjectKind<'a>,
}

/// What an object is.
#[derive(Debug, Default)]
pub enum ObjectKind<'a> {
    Variable {
        name: &'a str,
    },
    /// What holds others, functions, and constants, which are nodes of the main graph.
    #[default]
    Other,
}

impl<'a> ObjectGraph<'a> {
    pub fn parse(message: &'a [u8]) -> Result<Self> {
        let mut graph = ObjectGraph::default();
        for field in fields(message) {
            match field? {
                (1, v) => graph.objects.push(Object::parse(v.bytes()?)?),
                (2, v) => {
                    let (name, function) = entry(v.bytes()?)?;
                    let mut bound = Vec::new();
                    for field in fields(function) {
                        if let (2, v) = field? {
                            v.ints(&mut bound)?;
                        }
                    }
                    graph.bound.insert(name, bound);
                }
                _ => {}
            }
        }
        Ok(graph)
    }
}

/// The text in a field of a message.
fn text(message: &[u8], number: u64) -> Result<&str> {
    let mut text = "";
    for field in fields(message) {
        match field? {
            (n, v) if n == number => text = v.text()?,
            _ => {}
        }
    }
    Ok(text)
}

/// Number and name of an object that another holds. Of the trees of a saved model and of a checkpoint alike.
pub(super) fn child(message: &[u8]) -> Result<(i64, &str)> {
    let (mut id, mut name) = (0, "");
    for field in fields(message) {
        match field? {
            (1, v) => id = v.int()?,
            (2, v) => name = v.text()?,
            _ => {}
        }
    }
    Ok((id, name))
}

impl<'a> Object<'a> {
    fn parse(message: &'a [u8]) -> Result<Self> {
        let mut object = Object::default();
        for field in fields(message) {
            let (number, value) = field?;
            match number {
                1 => object.children.push(child(value.bytes()?)?),
                7 => object.kind = ObjectKind::Variable { name: text(value.bytes()?, 6)? },
                _ => {}
            }
        }
        object.children.shrink_to_fit();
        Ok(object)
    }
}
