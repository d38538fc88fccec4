//! Values as they stand in files, made into tensors.

use candle_core::{Device, Tensor};
use half::{bf16, f16};

use crate::dtype::Type;
use crate::limits::REPEATED;
use crate::proto::TensorProto;
use crate::{Error, Result};

/// Gathers values from bytes that come in parts, so that a tensor is in memory once. No part but the last may end within
/// a value.
#[derive(Debug)]
pub(crate) struct Gather {
    ty: Type,
    data: Data,
}

#[derive(Debug)]
enum Data {
    F32(Vec<f32>),
    F64(Vec<f64>),
    F16(Vec<f16>),
    Bf16(Vec<bf16>),
    U8(Vec<u8>),
    I64(Vec<i64>),
}

/// Adds values of `N` bytes each.
fn add<const N: usize, T>(into: &mut Vec<T>, bytes: &[u8], value: impl Fn([u8; N]) -> T) -> Result<()> {
    let (values, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        return Err(Error::Msg(format!("{} bytes are no whole number of values", bytes.len())));
    }
    into.extend(values.iter().map(|bytes| value(*bytes)));
    Ok(())
}

impl Gather {
    /// `count` values, for which whoever calls has seen the bytes to be there.
    pub(crate) fn new(ty: Type, count: usize) -> Result<Self> {
        let data = match ty.0 {
            1 => Data::F32(Vec::with_capacity(count)),
            2 => Data::F64(Vec::with_capacity(count)),
            19 => Data::F16(Vec::with_capacity(count)),
            14 => Data::Bf16(Vec::with_capacity(count)),
            4 | 10 => Data::U8(Vec::with_capacity(count)),
            _ if ty.is_integer() => Data::I64(Vec::with_capacity(count)),
            _ => return Err(Error::Msg(format!("values of type {ty} have no tensor of candle"))),
        };
        Ok(Gather { ty, data })
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let ty = self.ty;
        match &mut self.data {
            Data::F32(all) => add(all, bytes, f32::from_le_bytes),
            Data::F64(all) => add(all, bytes, f64::from_le_bytes),
            Data::F16(all) => add(all, bytes, f16::from_le_bytes),
            Data::Bf16(all) => add(all, bytes, bf16::from_le_bytes),
            Data::U8(all) => add(all, bytes, |[byte]| byte),
            Data::I64(all) => match ty.0 {
                3 => add(all, bytes, |b| i64::from(i32::from_le_bytes(b))),
                5 => add(all, bytes, |b| i64::from(i16::from_le_bytes(b))),
                6 => add(all, bytes, |b| i64::from(i8::from_le_bytes(b))),
                17 => add(all, bytes, |b| i64::from(u16::from_le_bytes(b))),
                22 => add(all, bytes, |b| i64::from(u32::from_le_bytes(b))),
                23 => {
                    let before = all.len();
                    add(all, bytes, i64::from_le_bytes)?;
                    fits(&all[before..])
                }
                _ => add(all, bytes, i64::from_le_bytes),
            },
        }
    }

    /// The values in the fields of a constant.
    fn fields(&mut self, proto: &TensorProto<'_>) -> Result<()> {
        let ty = self.ty;
        match &mut self.data {
            Data::F32(all) => all.extend(&proto.floats),
            Data::F64(all) => all.extend(&proto.doubles),
            Data::F16(all) => all.extend(proto.ints.iter().map(|bits| f16::from_bits(*bits as u16))),
            Data::Bf16(all) => all.extend(proto.ints.iter().map(|bits| bf16::from_bits(*bits as u16))),
            Data::U8(all) => all.extend(proto.ints.iter().map(|value| *value as u8)),
            Data::I64(all) => all.extend(&proto.ints),
        }
        match &self.data {
            Data::I64(all) if ty.0 == 23 => fits(all),
            _ => Ok(()),
        }
    }

    fn len(&self) -> usize {
        match &self.data {
            Data::F32(all) => all.len(),
            Data::F64(all) => all.len(),
            Data::F16(all) => all.len(),
            Data::Bf16(all) => all.len(),
            Data::U8(all) => all.len(),
            Data::I64(all) => all.len(),
        }
    }

    pub(crate) fn tensor(self, shape: &[usize]) -> Result<Tensor> {
        let cpu = &Device::Cpu;
        match self.data {
            Data::F32(all) => Tensor::from_vec(all, shape, cpu),
            Data::F64(all) => Tensor::from_vec(all, shape, cpu),
            Data::F16(all) => Tensor::from_vec(all, shape, cpu),
            Data::Bf16(all) => Tensor::from_vec(all, shape, cpu),
            Data::U8(all) => Tensor::from_vec(all, shape, cpu),
            Data::I64(all) => Tensor::from_vec(all, shape, cpu),
        }
    }
}

/// Of `uint64`, what fits in 63 bits.
fn fits(values: &[i64]) -> Result<()> {
    match values.iter().find(|value| **value < 0) {
        Some(value) => Err(Error::Msg(format!("{} does not fit in an i64", value.cast_unsigned()))),
        None => Ok(()),
    }
}

/// The tensor of a constant. One value for all of it is not repeated in memory.
pub(crate) fn constant(proto: &TensorProto<'_>) -> Result<Tensor> {
    let ty = Type::of(proto.dtype);
    let shape = proto.shape.as_ref().map_or_else(|| Ok(Vec::new()), |shape| shape.known())?;
    let count: usize = shape.iter().product();
    let mut gather = Gather::new(ty, 0)?;
    if !proto.content.is_empty() {
        let whole = ty.size().and_then(|size| size.checked_mul(count));
        // A single value in bytes stands for all of them, too.
        if whole != Some(proto.content.len()) && ty.size() != Some(proto.content.len()) {
            return Err(Error::Msg(format!("a constant of {count} {ty} values has {} bytes", proto.content.len())));
        }
        gather.bytes(proto.content)?;
    } else {
        gather.fields(proto)?;
    }
    match gather.len() {
        given if given == count => gather.tensor(&shape),
        // What is left out is zero.
        0 => zero(ty)?.broadcast_as(shape),
        1 => gather.tensor(&[])?.broadcast_as(shape),
        given if given > count => Err(Error::Msg(format!("a constant of {count} values has {given}"))),
        given => {
            // The last value is repeated. What is repeated that often would be written as one value.
            if count / given > REPEATED {
                return Err(Error::Msg(format!("a constant of {count} values gives only {given} of them")));
            }
            let flat = gather.tensor(&[given])?;
            let last = flat.narrow(0, given - 1, 1)?.broadcast_as(count - given)?;
            Tensor::cat(&[&flat, &last.contiguous()?], 0)?.reshape(shape)
        }
    }
}

fn zero(ty: Type) -> Result<Tensor> {
    Tensor::zeros((), ty.held()?, &Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Shape;

    fn proto(shape: &[i64], floats: &[f32]) -> TensorProto<'static> {
        TensorProto {
            dtype: 1,
            shape: Some(Shape(Some(shape.to_vec()))),
            floats: floats.to_vec(),
            ..TensorProto::default()
        }
    }

    #[test]
    fn the_last_value_is_repeated() {
        let tensor = constant(&proto(&[2, 2], &[1., 2.])).unwrap();
        assert_eq!(tensor.to_vec2::<f32>().unwrap(), [[1., 2.], [2., 2.]]);
        assert_eq!(constant(&proto(&[2], &[])).unwrap().to_vec1::<f32>().unwrap(), [0., 0.]);
    }

    /// 4 TB, if it was made.
    #[test]
    fn one_value_for_all_takes_no_memory() {
        let tensor = constant(&proto(&[1 << 20, 1 << 20], &[3.])).unwrap();
        assert_eq!(tensor.dims(), [1 << 20, 1 << 20]);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        for shape in [&[-1][..], &[i64::MAX, i64::MAX], &[1, 0, i64::MAX, 4]] {
            assert!(constant(&proto(shape, &[1.])).is_err(), "{shape:?}");
        }
        assert!(constant(&proto(&[1], &[1., 2.])).is_err());
        assert!(constant(&proto(&[1 << 30], &[1., 2.])).is_err());
        let cut = TensorProto { content: &[0; 6], ..proto(&[2], &[]) };
        assert!(constant(&cut).unwrap_err().to_string().contains("has 6 bytes"));
    }

    #[test]
    fn integers_become_64_bits_wide() {
        let mut gather = Gather::new(Type(3), 2).unwrap();
        gather.bytes(&[0xff, 0xff, 0xff, 0xff, 7, 0, 0, 0]).unwrap();
        assert_eq!(gather.tensor(&[2]).unwrap().to_vec1::<i64>().unwrap(), [-1, 7]);
        let mut large = Gather::new(Type(23), 1).unwrap();
        assert!(large.bytes(&[0xff; 8]).is_err());
    }
}
