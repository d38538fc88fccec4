//! The types of TensorFlow's values, and what stands for each here.

use std::fmt;

use candle_core::DType;

use crate::{Error, Result};

/// The type of a value in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type(pub(crate) i64);

/// Number in the file, name, and what holds it here.
const TYPES: [(i64, &str, Option<DType>); 20] = [
    (1, "float32", Some(DType::F32)),
    (2, "float64", Some(DType::F64)),
    (3, "int32", Some(DType::I64)),
    (4, "uint8", Some(DType::U8)),
    (5, "int16", Some(DType::I64)),
    (6, "int8", Some(DType::I64)),
    (7, "string", None),
    (8, "complex64", None),
    (9, "int64", Some(DType::I64)),
    (10, "bool", Some(DType::U8)),
    (14, "bfloat16", Some(DType::BF16)),
    (17, "uint16", Some(DType::I64)),
    (18, "complex128", None),
    (19, "float16", Some(DType::F16)),
    (20, "resource", None),
    (21, "variant", None),
    (22, "uint32", Some(DType::I64)),
    (23, "uint64", Some(DType::I64)),
    (11, "qint8", None),
    (12, "quint8", None),
];

impl Type {
    pub(crate) const BOOL: Type = Type(10);

    pub(crate) fn of(number: i64) -> Self {
        // References to values, of TensorFlow 1's variables, are the same numbers plus 100.
        Type(if (101..200).contains(&number) { number - 100 } else { number })
    }

    fn entry(self) -> Option<&'static (i64, &'static str, Option<DType>)> {
        TYPES.iter().find(|(number, ..)| *number == self.0)
    }

    /// TensorFlow's name, `float32`.
    pub fn name(self) -> &'static str {
        self.entry().map_or("unknown", |(_, name, _)| name)
    }

    /// What holds such values here: `int32` and its like become 64 bits wide, `bool` is `u8`. `None` for what no tensor
    /// of candle can hold.
    pub fn dtype(self) -> Option<DType> {
        self.entry().and_then(|(.., dtype)| *dtype)
    }

    pub(crate) fn held(self) -> Result<DType> {
        self.dtype().ok_or_else(|| Error::Msg(format!("values of type {self} have no tensor of candle")))
    }

    pub(crate) fn is_integer(self) -> bool {
        self.dtype() == Some(DType::I64)
    }

    /// Bytes of one value in a file, of those that are all alike.
    pub(crate) fn size(self) -> Option<usize> {
        Some(match self.0 {
            1 | 3 | 22 => 4,
            2 | 9 | 23 => 8,
            4 | 6 | 10 => 1,
            5 | 14 | 17 | 19 => 2,
            _ => return None,
        })
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.entry() {
            Some((_, name, _)) => f.pad(name),
            None => write!(f, "type {}", self.0),
        }
    }
}
