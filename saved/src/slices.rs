//! Tensors that a checkpoint has in parts, each under a key of its own that says which part it is.

use std::ops::Range;

use candle_core::Tensor;

use crate::{Error, Result};

/// First element and number of elements along every axis; -1 for all of them.
pub(crate) type Slice = Vec<(i64, i64)>;

/// The key of a part: name and numbers in an encoding that keeps their order.
pub(crate) fn key(name: &str, slice: &[(i64, i64)]) -> Vec<u8> {
    let mut key = Vec::new();
    unsigned(&mut key, 0);
    for byte in name.bytes() {
        match byte {
            0 => key.extend([0, 0xff]),
            0xff => key.extend([0xff, 0]),
            byte => key.push(byte),
        }
    }
    key.extend([0, 1]);
    unsigned(&mut key, slice.len() as u64);
    for (first, len) in slice {
        signed(&mut key, *first);
        signed(&mut key, *len);
    }
    key
}

/// How many bytes, and the bytes, the highest first.
fn unsigned(key: &mut Vec<u8>, value: u64) {
    let len = 8 - value.leading_zeros() as usize / 8;
    key.push(len as u8);
    key.extend(&value.to_be_bytes()[8 - len..]);
}

/// As many bytes as it takes, the highest first; the highest bits say how many, turned over below zero.
fn signed(key: &mut Vec<u8>, value: i64) {
    let size = if value < 0 { !value } else { value };
    // Of `n` bytes, `7n − 1` bits are left for the size.
    let len = (1..=10).find(|len| 7 * len > 64 || size >> (7 * len - 1).min(63) == 0).unwrap_or(10);
    let wide = i128::from(value).to_be_bytes();
    let mut bytes = wide[16 - len..].to_vec();
    // As many ones as bytes, then a zero.
    let header = !(u16::MAX.checked_shr(len as u32).unwrap_or(0));
    bytes[0] ^= (header >> 8) as u8;
    if let Some(second) = bytes.get_mut(1) {
        *second ^= header as u8;
    }
    key.extend(bytes);
}

/// More parts than any tensor is saved in.
const MOST: usize = 1 << 12;

/// The whole of its parts, which must lie beside each other and leave nothing out.
pub(crate) fn join(parts: &[(Slice, Tensor)], shape: &[usize]) -> Result<Tensor> {
    let wrong = || Error::Msg(format!("its slices are not parts that make up {shape:?}"));
    if parts.len() > MOST {
        return Err(wrong());
    }
    let ranges = |slice: &Slice| -> Option<Vec<Range<usize>>> {
        let range = |((first, len), size): (&(i64, i64), &usize)| {
            let first = usize::try_from(*first).ok()?;
            let len = if *len < 0 { size.checked_sub(first)? } else { usize::try_from(*len).ok()? };
            let end = first.checked_add(len)?;
            (end <= *size).then_some(first..end)
        };
        (slice.len() == shape.len()).then(|| slice.iter().zip(shape).map(range).collect())?
    };
    let parts = parts.iter().map(|(slice, part)| Some((ranges(slice)?, part)));
    let parts: Vec<_> = parts.collect::<Option<_>>().ok_or_else(wrong)?;
    let apart =
        |a: &[Range<usize>], b: &[Range<usize>]| a.iter().zip(b).any(|(a, b)| a.end <= b.start || b.end <= a.start);
    let fits = |(ranges, part): &(Vec<Range<usize>>, &Tensor)| {
        ranges.iter().map(ExactSizeIterator::len).eq(part.dims().iter().copied())
    };
    let overlap = parts.iter().enumerate().any(|(at, (a, _))| parts[..at].iter().any(|(b, _)| !apart(a, b)));
    // As many elements as there are, none of them twice: all of them.
    let count: usize = parts.iter().map(|(_, part)| part.elem_count()).sum();
    let Some((_, first)) = parts.first() else { return Err(wrong()) };
    if overlap || count != shape.iter().product::<usize>() || !parts.iter().all(fits) {
        return Err(wrong());
    }
    let whole = Tensor::zeros(shape, first.dtype(), first.device())?;
    parts.iter().try_fold(whole, |whole, (ranges, part)| whole.slice_assign(ranges, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_order() {
        let encoded = |value| {
            let mut key = Vec::new();
            signed(&mut key, value);
            key
        };
        assert_eq!(encoded(0), [0x80]);
        assert_eq!(encoded(-1), [0x7f]);
        assert_eq!(encoded(63), [0xbf]);
        assert_eq!(encoded(64), [0xc0, 0x40]);
        assert_eq!(encoded(-65), [0x3f, 0xbf]);
        let values = [i64::MIN, -70_000, -8193, -8192, -65, -64, -1, 0, 1, 63, 64, 8191, 8192, 70_000, i64::MAX];
        assert!(values.windows(2).all(|pair| encoded(pair[0]) < encoded(pair[1])));
    }

    #[test]
    fn a_key_has_the_name_and_the_part() {
        let key = key("a", &[(0, 2), (0, -1)]);
        assert_eq!(key, [0, b'a', 0, 1, 1, 2, 0x80, 0x82, 0x80, 0x7f]);
    }

    #[test]
    fn parts_must_make_up_the_whole() {
        let part = |rows: usize, columns: usize, value: f32| {
            Tensor::full(value, (rows, columns), &candle_core::Device::Cpu).unwrap()
        };
        let (left, right) = (vec![(2, 1), (0, 1)], vec![(2, 1), (1, 1)]);
        let parts = [(right, part(1, 1, 3.)), (vec![(0, 2), (0, -1)], part(2, 2, 1.)), (left, part(1, 1, 2.))];
        let whole = join(&parts, &[3, 2]).unwrap();
        assert_eq!(whole.to_vec2::<f32>().unwrap(), [[1., 1.], [1., 1.], [2., 3.]]);
        for (parts, shape) in [
            (&parts[1..], [3, 2]),
            (&parts[..], [4, 2]),
            (&[parts[1].clone(), parts[1].clone()], [4, 2]),
            (&[(vec![(0, 2), (0, -1)], part(3, 2, 1.))], [2, 2]),
            (&[(vec![(i64::MAX, i64::MAX), (0, -1)], part(2, 2, 1.))], [2, 2]),
            (&[], [0, 2]),
        ] {
            assert!(join(parts, &shape).is_err(), "{parts:?}");
        }
    }
}
