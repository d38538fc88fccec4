//! `TensorShapeProto` and `TensorProto`.

use std::fmt;

use super::wire::{Value, fields};
use crate::{Error, Result};

/// The sizes of a tensor as far as they are known: -1 for one that is not, `None` where not even their number is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape(pub Option<Vec<i64>>);

/// Sizes as they are shown, `[?, 28, 28, 1]`.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(sizes) = &self.0 else { return f.pad("[..]") };
        let size = |size: &i64| if *size < 0 { "?".to_owned() } else { size.to_string() };
        f.pad(&format!("[{}]", sizes.iter().map(size).collect::<Vec<_>>().join(", ")))
    }
}

impl Shape {
    pub fn parse(message: &[u8]) -> Result<Self> {
        let mut sizes = Vec::new();
        let mut unknown = false;
        for field in fields(message) {
            match field? {
                (2, dim) => sizes.push(size(dim.bytes()?)?),
                (3, v) => unknown = v.number()? != 0,
                _ => {}
            }
        }
        Ok(Shape((!unknown).then_some(sizes)))
    }

    /// The sizes of a tensor that is there, whose number of elements can be counted.
    pub fn known(&self) -> Result<Vec<usize>> {
        let wrong = || Error::Msg(format!("{:?} is no shape of a tensor", self.0));
        let sizes = self.0.as_ref().ok_or_else(wrong)?;
        let sizes: Vec<usize> =
            sizes.iter().map(|&size| usize::try_from(size).map_err(|_| wrong())).collect::<Result<_>>()?;
        // With a size of 0 the others still multiply in whoever looks at a part of them.
        let count = sizes.iter().try_fold(1usize, |count, &size| count.checked_mul(size.max(1)));
        count.filter(|count| isize::try_from(*count).is_ok()).ok_or_else(wrong)?;
        Ok(sizes)
    }
}

fn size(message: &[u8]) -> Result<i64> {
    let mut size = 0;
    for field in fields(message) {
        if let (1, v) = field? {
            size = v.int()?;
        }
    }
    Ok(size)
}

/// A constant: its bytes, or a list of values of which the last is repeated as often as is needed.
#[derive(Clone, Debug, Default)]
pub struct TensorProto<'a> {
    pub dtype: i64,
    pub shape: Option<Shape>,
    pub content: &'a [u8],
    pub floats: Vec<f32>,
    pub doubles: Vec<f64>,
    /// Of every integer type and `bool`; of half-precision floats, their bits.
    pub ints: Vec<i64>,
    pub strings: Vec<&'a [u8]>,
}

impl<'a> TensorProto<'a> {
    pub fn parse(message: &'a [u8]) -> Result<Self> {
        let mut tensor = TensorProto::default();
        for field in fields(message) {
            let (number, value) = field?;
            match number {
                1 => tensor.dtype = value.int()?,
                2 => tensor.shape = Some(Shape::parse(value.bytes()?)?),
                4 => tensor.content = value.bytes()?,
                5 => value.floats(&mut tensor.floats)?,
                6 => value.doubles(&mut tensor.doubles)?,
                // int_val, int64_val, bool_val, half_val, uint32_val, uint64_val: a tensor has one of them.
                7 | 10 | 11 | 13 | 16 | 17 => value.ints(&mut tensor.ints)?,
                8 => match value {
                    Value::Bytes(bytes) => tensor.strings.push(bytes),
                    _ => return Err(Error::Msg("a string of a constant is a number".to_owned())),
                },
                _ => {}
            }
        }
        Ok(tensor)
    }
}
