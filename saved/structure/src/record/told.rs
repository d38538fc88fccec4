//! A node in words: its operation, what the operation is told, and what a constant is.
//!
//! Words that are equal are of nodes that compute the same of the same values. What only says where a node came from, or how
//! it is to be run, is left out.

use std::fmt::{self, Write};

use super::hash::Hash;
use crate::Result;
use crate::dtype::Type;
use crate::proto::{Attr, Attrs, OpDef, Shape, TensorProto};

/// The longest value, in bytes, that is written out. Of longer ones there is the beginning, and a hash of all.
const LONGEST: usize = 120;

/// Attributes that change nothing of what is computed: names that a process gives, and how work is spread.
const BESIDES: &[&str] = &[
    "allowed_devices",
    "config",
    "config_proto",
    "container",
    "debug_name",
    "executor_type",
    "message",
    "parallel_iterations",
    "shared_name",
];

/// An operation with its attributes, `MatMul; T=float32; transpose_b=true`. What is as it is where nothing is said is left
/// out, whether the writer has left it out or not.
pub(crate) fn operation(op: &str, attrs: &Attrs<'_>, known: Option<&OpDef<'_>>) -> String {
    let mut text = op.to_owned();
    for (name, _) in attrs.raw().filter(|(name, _)| !name.starts_with('_') && !BESIDES.contains(name)) {
        let own = attrs.get(name);
        let default = known.and_then(|op| op.defaults.get(name).ok().flatten());
        match own {
            Ok(Some(own)) if default.as_ref() == Some(&own) => {}
            Ok(Some(own)) => {
                let mut value = Shortened::default();
                if write_value(&own, &mut value) {
                    let _ = write!(text, "; {name}={}", value.done());
                }
            }
            Ok(None) => {}
            Err(error) => {
                let _ = write!(text, "; {name}: {error}");
            }
        }
    }
    text
}

/// A constant, `Const; float32 [2] 1, 0.5`. `None` for text, which nothing is computed of.
pub(crate) fn constant(message: &[u8]) -> Result<Option<String>> {
    let proto = TensorProto::parse(message)?;
    let ty = Type::of(proto.dtype);
    if ty.held_as().is_none() {
        return Ok(None);
    }
    let shape = proto.shape.clone().unwrap_or(Shape(Some(Vec::new())));
    let values = Values::of(&proto, ty);
    let mut text = format!("Const; {ty} {shape} ");
    // The last value is repeated as often as is needed: that it is written once or often is the writer's affair.
    let count = values.count.saturating_sub(values.repeated());
    match count {
        0..=8 => text.push_str(&(0..count).map(|at| values.shown(at)).collect::<Vec<_>>().join(", ")),
        _ => {
            let first = (0..4).map(|at| values.shown(at)).collect::<Vec<_>>().join(", ");
            let mut hash = Hash::default();
            (0..count).for_each(|at| hash.word(u64::from_le_bytes(values.bits(at))));
            let _ = write!(text, "{first}, … ({count} values, #{hash})");
        }
    }
    Ok(Some(text))
}

/// Text of which no more is kept than is shown, however long it is.
#[derive(Default)]
struct Shortened {
    beginning: String,
    len: usize,
    hash: Hash,
}

impl Write for Shortened {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.hash.bytes(text.as_bytes());
        self.len += text.len();
        let room = LONGEST - self.beginning.len().min(LONGEST);
        self.beginning.push_str(&text[..text.floor_char_boundary(room)]);
        Ok(())
    }
}

impl Shortened {
    fn done(self) -> String {
        if self.len == self.beginning.len() {
            return self.beginning;
        }
        format!("{}… (#{})", &self.beginning[..self.beginning.floor_char_boundary(LONGEST / 2)], self.hash)
    }
}

/// Writes the value. Says no for a function: it is not the name that tells what it does.
fn write_value(attr: &Attr<'_>, to: &mut Shortened) -> bool {
    fn list<T: fmt::Display>(values: impl Iterator<Item = T>, to: &mut Shortened) -> fmt::Result {
        to.write_str("[")?;
        for (at, value) in values.enumerate() {
            write!(to, "{}{value}", if at == 0 { "" } else { ", " })?;
        }
        to.write_str("]")
    }
    let written = match attr {
        Attr::Str(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => write!(to, "{text:?}"),
            Err(_) => write!(to, "{bytes:?}"),
        },
        Attr::Int(value) => write!(to, "{value}"),
        Attr::Float(value) => write!(to, "{value:?}"),
        Attr::Bool(value) => write!(to, "{value}"),
        Attr::Type(ty) => write!(to, "{}", Type(*ty)),
        Attr::Shape(shape) => write!(to, "{shape}"),
        Attr::Tensor(message) => {
            let mut hash = Hash::default();
            hash.bytes(message);
            write!(to, "#{hash}")
        }
        Attr::Placeholder => to.write_str("an attribute of its function"),
        Attr::Function(_) => return false,
        // A list is of one of these.
        Attr::List(all) if !all.functions.is_empty() => return false,
        Attr::List(all) if !all.strings.is_empty() => {
            list(all.strings.iter().map(|bytes| format!("{:?}", String::from_utf8_lossy(bytes))), to)
        }
        Attr::List(all) if !all.ints.is_empty() => list(all.ints.iter(), to),
        Attr::List(all) if !all.floats.is_empty() => list(all.floats.iter().map(|value| format!("{value:?}")), to),
        Attr::List(all) if !all.bools.is_empty() => list(all.bools.iter(), to),
        Attr::List(all) if !all.types.is_empty() => list(all.types.iter().map(|ty| Type(*ty)), to),
        Attr::List(all) => list(all.shapes.iter(), to),
    };
    debug_assert!(written.is_ok(), "text always has room");
    true
}

/// The values of a constant, one by one.
struct Values<'p, 'a> {
    proto: &'p TensorProto<'a>,
    ty: Type,
    /// Bytes of each where they stand as bytes.
    width: usize,
    count: usize,
}

impl<'p, 'a> Values<'p, 'a> {
    fn of(proto: &'p TensorProto<'a>, ty: Type) -> Self {
        let width = ty.size().unwrap_or(1);
        let count = match proto.content {
            [] => proto.floats.len() + proto.doubles.len() + proto.ints.len(),
            content => content.len().div_ceil(width),
        };
        Values { proto, ty, width, count }
    }

    /// The bits of one.
    fn bits(&self, at: usize) -> [u8; 8] {
        let mut bits = [0; 8];
        let (floats, doubles) = (self.proto.floats.len(), self.proto.doubles.len());
        if !self.proto.content.is_empty() {
            let from = &self.proto.content[at * self.width..];
            let len = self.width.min(from.len());
            bits[..len].copy_from_slice(&from[..len]);
        } else if at < floats {
            bits[..4].copy_from_slice(&self.proto.floats[at].to_le_bytes());
        } else if at < floats + doubles {
            bits = self.proto.doubles[at - floats].to_le_bytes();
        } else {
            // Wider than they are where they are below zero.
            let whole = self.proto.ints[at - floats - doubles].to_le_bytes();
            bits[..self.width].copy_from_slice(&whole[..self.width]);
        }
        bits
    }

    /// How many at the end are the one before.
    fn repeated(&self) -> usize {
        let Some(last) = self.count.checked_sub(1) else { return 0 };
        (0..last).rev().take_while(|at| self.bits(*at) == self.bits(last)).count()
    }

    fn shown(&self, at: usize) -> String {
        let bits = self.bits(at);
        let whole = i64::from_le_bytes(bits);
        match (self.ty.0, self.width) {
            (1, _) => f32::from_le_bytes([bits[0], bits[1], bits[2], bits[3]]).to_string(),
            (2, _) => f64::from_le_bytes(bits).to_string(),
            (10, _) => (whole != 0).to_string(),
            // Of half-precision floats, their bits.
            (14 | 19, _) => format!("{whole:#06x}"),
            (3, _) => (whole as i32).to_string(),
            (5, _) => (whole as i16).to_string(),
            (6, _) => (whole as i8).to_string(),
            (23, _) => whole.cast_unsigned().to_string(),
            _ => whole.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, bytes.len() as u8], bytes].concat()
    }

    /// A constant of two floats.
    fn pair(values: &[u8]) -> String {
        let shape = field(2, &field(2, &[8, 2]));
        constant(&[&[8, 1][..], &shape, values].concat()).unwrap().unwrap()
    }

    #[test]
    fn a_constant_is_told_alike_however_it_is_written() {
        let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
        assert_eq!(pair(&field(4, &bytes(&[1., 0.5]))), "Const; float32 [2] 1, 0.5");
        assert_eq!(pair(&field(5, &bytes(&[1., 0.5]))), "Const; float32 [2] 1, 0.5");
        let once = pair(&field(5, &bytes(&[1.])));
        assert_eq!((pair(&field(4, &bytes(&[1., 1.]))), &*once), (once.clone(), "Const; float32 [2] 1"));
        // Zeros of either sign are two values.
        assert_ne!(pair(&field(5, &bytes(&[0.]))), pair(&field(5, &bytes(&[-0.]))));
    }

    #[test]
    fn long_constants_differ_wherever_they_do() {
        let told = |values: &[i64]| {
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            constant(&[&[8, 9][..], &field(2, &field(2, &[8, 12])), &field(4, &bytes)].concat()).unwrap().unwrap()
        };
        let values: Vec<i64> = (0..12).collect();
        assert!(told(&values).starts_with("Const; int64 [12] 0, 1, 2, 3, … (12 values, #"), "{}", told(&values));
        for at in 0..12 {
            let mut other = values.clone();
            other[at] = -1;
            assert_ne!(told(&values), told(&other), "{at}");
        }
    }

    #[test]
    fn attributes_are_told_but_for_those_that_change_nothing() {
        let entry = |name: &str, value: &[u8]| field(5, &[field(1, name.as_bytes()), field(2, value)].concat());
        let node = [
            entry("_output_shapes", &[]),
            entry("strides", &field(1, &field(3, &[1, 2, 2, 1]))),
            entry("padding", &field(2, b"SAME")),
            entry("shared_name", &field(2, b"dense_1/kernel")),
            entry("T", &[6 << 3, 1]),
        ];
        let node = node.concat();
        let node = crate::proto::NodeDef::parse(&node).unwrap();
        let told = operation("Conv2D", &node.attrs, None);
        assert_eq!(told, "Conv2D; T=float32; padding=\"SAME\"; strides=[1, 2, 2, 1]");
        // Of an operation that is described, what it would be without a word is left out.
        let default = field(4, &[field(1, b"padding"), field(3, &field(2, b"SAME"))].concat());
        let op = OpDef::parse(&default).unwrap();
        assert_eq!(operation("Conv2D", &node.attrs, Some(&op)), "Conv2D; T=float32; strides=[1, 2, 2, 1]");
    }
}
