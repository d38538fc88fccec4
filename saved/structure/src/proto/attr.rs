//! `AttrValue`: the attributes of nodes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::tensor::Shape;
use super::wire::fields;
use crate::{Error, Result};

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Attr<'a> {
    Str(&'a [u8]),
    Int(i64),
    Float(f32),
    Bool(bool),
    Type(i64),
    Shape(Shape),
    /// A `TensorProto`, not yet read.
    Tensor(&'a [u8]),
    /// The name of a function. Functions with attributes of their own are not written by TensorFlow 2.
    Function(&'a str),
    /// Stands for an attribute of the function that the node is in.
    Placeholder,
    List(List<'a>),
}

/// A list, of one of these.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct List<'a> {
    pub strings: Vec<&'a [u8]>,
    pub ints: Vec<i64>,
    pub floats: Vec<f32>,
    pub bools: Vec<i64>,
    pub types: Vec<i64>,
    pub shapes: Vec<Shape>,
    pub functions: Vec<&'a str>,
}

impl<'a> Attr<'a> {
    fn parse(message: &'a [u8]) -> Result<Self> {
        let mut attr = None;
        for field in fields(message) {
            let (number, value) = field?;
            attr = Some(match number {
                1 => Attr::List(List::parse(value.bytes()?)?),
                2 => Attr::Str(value.bytes()?),
                3 => Attr::Int(value.int()?),
                4 => Attr::Float(value.float()?),
                5 => Attr::Bool(value.number()? != 0),
                6 => Attr::Type(value.int()?),
                7 => Attr::Shape(Shape::parse(value.bytes()?)?),
                8 => Attr::Tensor(value.bytes()?),
                9 => Attr::Placeholder,
                10 => Attr::Function(function(value.bytes()?)?),
                _ => continue,
            });
        }
        // An empty list is written as nothing at all.
        Ok(attr.unwrap_or(Attr::List(List::default())))
    }
}

impl<'a> List<'a> {
    fn parse(message: &'a [u8]) -> Result<Self> {
        let mut list = List::default();
        for field in fields(message) {
            let (number, value) = field?;
            match number {
                2 => list.strings.push(value.bytes()?),
                3 => value.ints(&mut list.ints)?,
                4 => value.floats(&mut list.floats)?,
                5 => value.ints(&mut list.bools)?,
                6 => value.ints(&mut list.types)?,
                7 => list.shapes.push(Shape::parse(value.bytes()?)?),
                9 => list.functions.push(function(value.bytes()?)?),
                _ => {}
            }
        }
        Ok(list)
    }
}

fn function(message: &[u8]) -> Result<&str> {
    let mut name = "";
    for field in fields(message) {
        if let (1, v) = field? {
            name = v.text()?;
        }
    }
    Ok(name)
}

/// The attributes of a node, each read when it is asked for.
#[derive(Clone, Debug, Default)]
pub struct Attrs<'a> {
    /// In the order in which they are asked. Nodes share the defaults of their operation: there may be many of either.
    asked: Vec<Arc<[Entry<'a>]>>,
}

/// The name of an attribute, and the message that it is.
type Entry<'a> = (&'a str, &'a [u8]);

fn other(name: &str, kind: &str) -> Error {
    Error::Msg(format!("the attribute `{name}` is not {kind}"))
}

impl<'a> Attrs<'a> {
    /// These, and of `others` what is not among them.
    pub fn or(&self, others: &Attrs<'a>) -> Self {
        Attrs { asked: self.asked.iter().chain(&others.asked).cloned().collect() }
    }

    /// Those that stand in a message, the last of a name being the one that counts.
    pub(super) fn of(mut entries: Vec<Entry<'a>>) -> Self {
        // A list and no map: most nodes have two or three, and a map has a place for eleven.
        entries.reverse();
        entries.sort_by_key(|(name, _)| *name);
        entries.dedup_by_key(|(name, _)| *name);
        Attrs { asked: if entries.is_empty() { Vec::new() } else { vec![entries.into()] } }
    }

    fn message(&self, name: &str) -> Option<&'a [u8]> {
        self.asked.iter().find_map(|attrs| {
            let place = attrs.binary_search_by_key(&name, |(own, _)| own).ok()?;
            Some(attrs[place].1)
        })
    }

    /// The bytes that an attribute has in the file.
    pub(crate) fn len_of(&self, name: &str) -> usize {
        self.message(name).map_or(0, <[u8]>::len)
    }

    /// The names and what stands in the file.
    pub fn raw(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        let mut all = BTreeMap::new();
        self.asked.iter().rev().for_each(|attrs| all.extend(attrs.iter().copied()));
        all.into_iter()
    }

    pub fn get(&self, name: &str) -> Result<Option<Attr<'a>>> {
        self.message(name).map(Attr::parse).transpose()
    }

    /// An attribute that has no default.
    pub fn need(&self, name: &str) -> Result<Attr<'a>> {
        self.get(name)?.ok_or_else(|| Error::Msg(format!("the attribute `{name}` is missing")))
    }

    pub fn int(&self, name: &str) -> Result<Option<i64>> {
        match self.get(name)? {
            None => Ok(None),
            Some(Attr::Int(value)) => Ok(Some(value)),
            Some(_) => Err(other(name, "a number")),
        }
    }

    pub fn float_or(&self, name: &str, default: f32) -> Result<f32> {
        match self.get(name)? {
            None => Ok(default),
            Some(Attr::Float(value)) => Ok(value),
            Some(_) => Err(other(name, "a float")),
        }
    }

    pub fn bool(&self, name: &str) -> Result<bool> {
        match self.get(name)? {
            None => Ok(false),
            Some(Attr::Bool(value)) => Ok(value),
            Some(_) => Err(other(name, "true or false")),
        }
    }

    pub fn str(&self, name: &str) -> Result<Option<&'a str>> {
        match self.get(name)? {
            None => Ok(None),
            Some(Attr::Str(value)) => std::str::from_utf8(value).map(Some).map_err(|_| other(name, "UTF-8")),
            Some(_) => Err(other(name, "a string")),
        }
    }

    pub fn ints(&self, name: &str) -> Result<Option<Vec<i64>>> {
        match self.get(name)? {
            None => Ok(None),
            Some(Attr::List(list)) => Ok(Some(list.ints)),
            Some(_) => Err(other(name, "a list")),
        }
    }

    pub fn ty(&self, name: &str) -> Result<Option<i64>> {
        match self.get(name)? {
            None => Ok(None),
            Some(Attr::Type(value)) => Ok(Some(value)),
            Some(_) => Err(other(name, "a type")),
        }
    }

    pub fn shape(&self, name: &str) -> Result<Option<Shape>> {
        match self.get(name)? {
            None => Ok(None),
            Some(Attr::Shape(value)) => Ok(Some(value)),
            Some(_) => Err(other(name, "a shape")),
        }
    }

    pub fn types(&self, name: &str) -> Result<Option<Vec<i64>>> {
        match self.get(name)? {
            None => Ok(None),
            Some(Attr::List(list)) => Ok(Some(list.types)),
            Some(_) => Err(other(name, "a list")),
        }
    }

    pub fn functions(&self, name: &str) -> Result<Vec<&'a str>> {
        match self.need(name)? {
            Attr::List(list) => Ok(list.functions),
            _ => Err(other(name, "a list")),
        }
    }

    pub fn function(&self, name: &str) -> Result<&'a str> {
        match self.need(name)? {
            Attr::Function(value) => Ok(value),
            _ => Err(other(name, "a function")),
        }
    }

    /// What the writer knew of the outputs' shapes.
    pub fn output_shapes(&self) -> Result<Vec<Shape>> {
        Ok(match self.get("_output_shapes")? {
            Some(Attr::List(list)) => list.shapes,
            _ => Vec::new(),
        })
    }
}
