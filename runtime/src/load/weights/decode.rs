//! From the bytes of a file to a tensor, through no second copy of it: memory holds the weights once.

use std::borrow::Cow;

use candle_core::quantized::{QStorage, QTensor};
use candle_core::{DType, Device, Shape, Tensor};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::file::{Holds, Located};
use crate::{Error, Result};

pub(super) fn tensor(
    bytes: &[u8],
    at: &Located,
    rows: Option<&[usize]>,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    let (data, shape) = (data(bytes, at, rows), shape(at, rows));
    match at.holds {
        Holds::Known(stored) => contiguous(&data, shape, stored, dtype, device),
        Holds::Blocks(_) => quantized(bytes, at, rows, device)?.dequantize(device)?.to_dtype(dtype),
        Holds::Unknown(_) => Err(Error::Msg(format!("it holds {}, which candle has no type for", at.holds))),
    }
}

/// A tensor of blocks as it is stored.
pub(super) fn quantized(bytes: &[u8], at: &Located, rows: Option<&[usize]>, device: &Device) -> Result<QTensor> {
    let Holds::Blocks(blocks) = at.holds else {
        return Err(Error::Msg(format!("it holds {}, which is not quantized", at.holds)));
    };
    // candle copies the blocks to memory of its own, and asserts that they are aligned as the type of a block is.
    let data = match data(bytes, at, rows) {
        Cow::Borrowed(data) if !data.as_ptr().addr().is_multiple_of(ALIGNMENT) => Cow::Owned(data.to_vec()),
        data => data,
    };
    QTensor::new(QStorage::from_data(data, device, blocks)?, shape(at, rows))
}

/// More than blocks of any type need.
const ALIGNMENT: usize = 8;

/// That of all rows, or of so many of them.
fn shape(at: &Located, rows: Option<&[usize]>) -> Shape {
    let mut dims = at.shape.dims().to_vec();
    if let (Some(rows), Some(first)) = (rows, dims.first_mut()) {
        *first = rows.len();
    }
    dims.into()
}

/// The bytes of a tensor's elements in order.
pub(super) fn data<'a>(bytes: &'a [u8], at: &Located, rows: Option<&[usize]>) -> Cow<'a, [u8]> {
    let data = match (&at.stride, &at.holds) {
        (Some(stride), Holds::Known(stored)) => {
            Cow::Owned(gathered(bytes, at.shape.dims(), stride, at.start, stored.size_in_bytes()))
        }
        _ => Cow::Borrowed(&bytes[at.start..at.start + at.size()]),
    };
    match (rows, at.shape.dims().first()) {
        (Some(rows), Some(&count)) if count > 0 => {
            let width = data.len() / count;
            let mut chosen = Vec::with_capacity(rows.len() * width);
            rows.iter().for_each(|row| chosen.extend_from_slice(&data[row * width..][..width]));
            Cow::Owned(chosen)
        }
        _ => data,
    }
}

fn contiguous(data: &[u8], shape: Shape, stored: DType, dtype: DType, device: &Device) -> Result<Tensor> {
    // candle converts by a second tensor, half as large as the first: on the CPU, where that counts, without it.
    if device.is_cpu() && stored != dtype {
        match (stored, dtype) {
            (DType::BF16, DType::F32) => return Tensor::from_vec(widened(data, bf16::from_le_bytes), shape, device),
            (DType::F16, DType::F32) => return Tensor::from_vec(widened(data, f16::from_le_bytes), shape, device),
            (DType::F32, DType::BF16) => return Tensor::from_vec(narrowed(data, bf16::from_f32), shape, device),
            (DType::F32, DType::F16) => return Tensor::from_vec(narrowed(data, f16::from_f32), shape, device),
            _ => (),
        }
    }
    Tensor::from_raw_buffer(data, stored, shape.dims(), device)?.to_dtype(dtype)
}

/// How many elements are converted at a time: few enough to stay in the cache.
const CHUNK: usize = 4096;

/// Halves as `f32`, by the machine's instructions for it where it has them.
fn widened<H>(data: &[u8], read: impl Fn([u8; 2]) -> H) -> Vec<f32>
where
    [H]: HalfFloatSliceExt,
{
    let mut values = vec![0.0; data.len() / 2];
    let mut halves = Vec::with_capacity(CHUNK);
    for (data, values) in data.chunks(2 * CHUNK).zip(values.chunks_mut(CHUNK)) {
        halves.clear();
        halves.extend(data.as_chunks().0.iter().copied().map(&read));
        halves.convert_to_f32_slice(values);
    }
    values
}

fn narrowed<H>(data: &[u8], write: impl Fn(f32) -> H) -> Vec<H> {
    data.as_chunks().0.iter().map(|bytes| write(f32::from_le_bytes(*bytes))).collect()
}

/// The elements of a strided tensor in order.
fn gathered(bytes: &[u8], dims: &[usize], stride: &[usize], start: usize, size: usize) -> Vec<u8> {
    let count: usize = dims.iter().product();
    let mut data = Vec::with_capacity(count * size);
    let mut index = vec![0; dims.len()];
    for _ in 0..count {
        let offset: usize = index.iter().zip(stride).map(|(i, stride)| i * stride).sum();
        data.extend_from_slice(&bytes[start + offset * size..][..size]);
        for (i, dim) in index.iter_mut().zip(dims).rev() {
            *i += 1;
            if *i < *dim {
                break;
            }
            *i = 0;
        }
    }
    data
}
