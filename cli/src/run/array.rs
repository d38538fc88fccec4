//! Arrays as files have them, made tensors.

use candle_core::{Device, Tensor};
use half::{bf16, f16};

/// The type of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    BF16,
    F32,
    F64,
}

/// An array, in the types that tensors of candle have: integers 64 bits wide, truth values and bytes as `u8`.
#[derive(Clone, Debug)]
pub(super) struct Array {
    pub(super) element: Element,
    pub(super) tensor: Tensor,
}

impl Element {
    /// As NumPy and TensorFlow call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::U32 => "uint32",
            Self::I32 => "int32",
            Self::U64 => "uint64",
            Self::I64 => "int64",
            Self::F16 => "float16",
            Self::BF16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }

    /// Bytes of one.
    pub(super) fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::BF16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// The smallest and the largest integer, of those that are integers.
    pub(super) fn range(self) -> Option<(i128, i128)> {
        Some(match self {
            Self::U8 => (0, u8::MAX.into()),
            Self::I8 => (i8::MIN.into(), i8::MAX.into()),
            Self::U16 => (0, u16::MAX.into()),
            Self::I16 => (i16::MIN.into(), i16::MAX.into()),
            Self::U32 => (0, u32::MAX.into()),
            Self::I32 => (i32::MIN.into(), i32::MAX.into()),
            Self::U64 => (0, u64::MAX.into()),
            Self::I64 => (i64::MIN.into(), i64::MAX.into()),
            Self::Bool | Self::F16 | Self::BF16 | Self::F32 | Self::F64 => return None,
        })
    }

    /// The array of this type that little-endian bytes are, in the order of C. An error goes on after the array's name.
    pub(super) fn array(self, bytes: &[u8], shape: &[usize]) -> Result<Array, String> {
        let tensor = match self {
            Self::Bool => tensor(bytes.iter().map(|byte| u8::from(*byte != 0)), shape),
            Self::U8 => tensor(bytes.iter().copied(), shape),
            Self::I8 => tensor(each(bytes, i8::from_le_bytes).map(i64::from), shape),
            Self::U16 => tensor(each(bytes, u16::from_le_bytes).map(i64::from), shape),
            Self::I16 => tensor(each(bytes, i16::from_le_bytes).map(i64::from), shape),
            Self::U32 => tensor(each(bytes, u32::from_le_bytes).map(i64::from), shape),
            Self::I32 => tensor(each(bytes, i32::from_le_bytes).map(i64::from), shape),
            Self::U64 => {
                let numbers = each(bytes, u64::from_le_bytes).map(i64::try_from).collect::<Result<Vec<_>, _>>();
                let numbers = numbers.map_err(|_| "has an integer above 2^63, which no tensor holds".to_owned())?;
                tensor(numbers.into_iter(), shape)
            }
            Self::I64 => tensor(each(bytes, i64::from_le_bytes), shape),
            Self::F16 => tensor(each(bytes, f16::from_le_bytes), shape),
            Self::BF16 => tensor(each(bytes, bf16::from_le_bytes), shape),
            Self::F32 => tensor(each(bytes, f32::from_le_bytes), shape),
            Self::F64 => tensor(each(bytes, f64::from_le_bytes), shape),
        };
        Ok(Array { element: self, tensor: tensor.map_err(|error| error.to_string())? })
    }
}

fn each<const N: usize, T>(bytes: &[u8], of: impl Fn([u8; N]) -> T) -> impl Iterator<Item = T> {
    bytes.as_chunks::<N>().0.iter().map(move |bytes| of(*bytes))
}

fn tensor<T: candle_core::WithDType>(values: impl Iterator<Item = T>, shape: &[usize]) -> candle_core::Result<Tensor> {
    Tensor::from_vec(values.collect::<Vec<T>>(), shape, &Device::Cpu)
}
