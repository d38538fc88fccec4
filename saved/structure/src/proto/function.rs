//! `FunctionDef`, and `OpDef`, which says what goes into an operation and what comes out.

use std::collections::BTreeMap;

use super::attr::Attrs;
use super::graph::NodeDef;
use super::wire::{entry, fields};
use crate::Result;

/// A function of a graph's library.
#[derive(Debug, Default)]
pub struct FunctionDef<'a> {
    pub signature: OpDef<'a>,
    pub nodes: Vec<NodeDef<'a>>,
    /// The bytes that it has in the file.
    pub size: usize,
    /// Of each output, the value inside.
    pub returns: BTreeMap<&'a str, &'a str>,
}

impl<'a> FunctionDef<'a> {
    pub fn parse(message: &'a [u8]) -> Result<Self> {
        let mut function = FunctionDef { size: message.len(), ..FunctionDef::default() };
        for field in fields(message) {
            match field? {
                (1, v) => function.signature = OpDef::parse(v.bytes()?)?,
                (3, v) => function.nodes.push(NodeDef::of_graph(v.bytes()?)?),
                (4, v) => {
                    let (name, value) = entry(v.bytes()?)?;
                    let value = std::str::from_utf8(value).map_err(crate::Error::wrap)?;
                    function.returns.insert(name, value);
                }
                _ => {}
            }
        }
        if function.signature.name.is_empty() {
            return Err(crate::Error::Msg("it has a function without a name".to_owned()));
        }
        function.nodes.shrink_to_fit();
        Ok(function)
    }
}

/// What an operation is called, takes and gives.
#[derive(Clone, Debug, Default)]
pub struct OpDef<'a> {
    pub name: &'a str,
    pub inputs: Vec<Parameter<'a>>,
    pub outputs: Vec<Parameter<'a>>,
    /// What attributes are that a node has not: the writer leaves them out.
    pub defaults: Attrs<'a>,
}

/// One input or output, or a list of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parameter<'a> {
    pub name: &'a str,
    ty: i64,
    type_attr: &'a str,
    number_attr: &'a str,
    type_list_attr: &'a str,
}

impl<'a> OpDef<'a> {
    pub fn parse(message: &'a [u8]) -> Result<Self> {
        let mut op = OpDef::default();
        let mut defaults = Vec::new();
        for field in fields(message) {
            match field? {
                (1, v) => op.name = v.text()?,
                (2, v) => op.inputs.push(Parameter::parse(v.bytes()?)?),
                (3, v) => op.outputs.push(Parameter::parse(v.bytes()?)?),
                (4, v) => defaults.extend(default(v.bytes()?)?),
                _ => {}
            }
        }
        op.inputs.shrink_to_fit();
        op.outputs.shrink_to_fit();
        op.defaults = Attrs::of(defaults);
        Ok(op)
    }
}

/// The name of an attribute and what it is by default, if it is anything.
fn default(message: &[u8]) -> Result<Option<(&str, &[u8])>> {
    let (mut name, mut default) = ("", None);
    for field in fields(message) {
        match field? {
            (1, v) => name = v.text()?,
            (3, v) => default = Some(v.bytes()?),
            _ => {}
        }
    }
    Ok(default.map(|default| (name, default)))
}

impl<'a> Parameter<'a> {
    /// One that no file describes: its type, or the attributes that say it.
    pub(crate) fn new(
        name: &'a str,
        ty: i64,
        type_attr: &'a str,
        number_attr: &'a str,
        type_list_attr: &'a str,
    ) -> Self {
        Parameter { name, ty, type_attr, number_attr, type_list_attr }
    }

    fn parse(message: &'a [u8]) -> Result<Self> {
        let mut parameter = Parameter::default();
        for field in fields(message) {
            match field? {
                (1, v) => parameter.name = v.text()?,
                (3, v) => parameter.ty = v.int()?,
                (4, v) => parameter.type_attr = v.text()?,
                (5, v) => parameter.number_attr = v.text()?,
                (6, v) => parameter.type_list_attr = v.text()?,
                _ => {}
            }
        }
        Ok(parameter)
    }

    /// The bytes that have to be read to know them.
    pub(crate) fn cost(&self, attrs: &Attrs<'_>) -> usize {
        [self.type_list_attr, self.type_attr, self.number_attr].iter().map(|name| attrs.len_of(name)).sum()
    }

    /// The types of the values that a node has for it; 0 for one that the file does not tell.
    pub fn types(&self, attrs: &Attrs<'_>, most: usize) -> Result<Vec<i64>> {
        if !self.type_list_attr.is_empty() {
            return Ok(attrs.types(self.type_list_attr)?.unwrap_or_default());
        }
        let ty = if self.type_attr.is_empty() { self.ty } else { attrs.ty(self.type_attr)?.unwrap_or(self.ty) };
        let number = if self.number_attr.is_empty() { 1 } else { attrs.int(self.number_attr)?.unwrap_or(1) };
        let number = usize::try_from(number).ok().filter(|number| *number <= most).ok_or_else(|| {
            crate::Error::Msg(format!("`{}` has {number} values, and the file is of {most} bytes", self.name))
        })?;
        Ok(vec![ty; number])
    }
}
