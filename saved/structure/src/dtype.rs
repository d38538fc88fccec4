//! The types of TensorFlow's values, and what stands for each here.

use std::fmt;

/// The type of a value in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Type(#[doc(hidden)] pub i64);

/// What holds values here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// 32-bit floats.
    F32,
    /// 64-bit floats.
    F64,
    /// Half-precision floats.
    F16,
    /// Floats of 16 bits with the range of 32.
    BF16,
    /// Bytes, and truth values.
    U8,
    /// Integers of every other width.
    I64,
}

/// Number in the file, name, and what holds it here.
const TYPES: [(i64, &str, Option<Held>); 20] = [
    (1, "float32", Some(Held::F32)),
    (2, "float64", Some(Held::F64)),
    (3, "int32", Some(Held::I64)),
    (4, "uint8", Some(Held::U8)),
    (5, "int16", Some(Held::I64)),
    (6, "int8", Some(Held::I64)),
    (7, "string", None),
    (8, "complex64", None),
    (9, "int64", Some(Held::I64)),
    (10, "bool", Some(Held::U8)),
    (14, "bfloat16", Some(Held::BF16)),
    (17, "uint16", Some(Held::I64)),
    (18, "complex128", None),
    (19, "float16", Some(Held::F16)),
    (20, "resource", None),
    (21, "variant", None),
    (22, "uint32", Some(Held::I64)),
    (23, "uint64", Some(Held::I64)),
    (11, "qint8", None),
    (12, "quint8", None),
];

impl Type {
    /// Truth values.
    pub const BOOL: Type = Type(10);

    /// The type of a number in a file.
    pub fn of(number: i64) -> Self {
        // References to values, of TensorFlow 1's variables, are the same numbers plus 100.
        Type(if (101..200).contains(&number) { number - 100 } else { number })
    }

    fn entry(self) -> Option<&'static (i64, &'static str, Option<Held>)> {
        TYPES.iter().find(|(number, ..)| *number == self.0)
    }

    /// TensorFlow's name, `float32`.
    pub fn name(self) -> &'static str {
        self.entry().map_or("unknown", |(_, name, _)| name)
    }

    /// What holds such values here: `int32` and its like become 64 bits wide, `bool` is a byte. `None` for what no tensor
    /// can hold.
    pub fn held_as(self) -> Option<Held> {
        self.entry().and_then(|(.., held)| *held)
    }

    /// What holds such values here: `int32` and its like become 64 bits wide, `bool` is `u8`. `None` for what no tensor
    /// of candle can hold.
    #[cfg(feature = "candle")]
    pub fn dtype(self) -> Option<candle_core::DType> {
        use candle_core::DType;
        Some(match self.held_as()? {
            Held::F32 => DType::F32,
            Held::F64 => DType::F64,
            Held::F16 => DType::F16,
            Held::BF16 => DType::BF16,
            Held::U8 => DType::U8,
            Held::I64 => DType::I64,
        })
    }

    /// The same, for what a tensor is made of.
    ///
    /// # Errors
    /// Values that no tensor of candle can hold.
    #[cfg(feature = "candle")]
    pub fn held(self) -> candle_core::Result<candle_core::DType> {
        let none = || candle_core::Error::Msg(format!("values of type {self} have no tensor of candle"));
        self.dtype().ok_or_else(none)
    }

    /// Whether values are 64-bit integers here.
    pub fn is_integer(self) -> bool {
        self.held_as() == Some(Held::I64)
    }

    /// Bytes of one value in a file, of those that are all alike.
    pub fn size(self) -> Option<usize> {
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
