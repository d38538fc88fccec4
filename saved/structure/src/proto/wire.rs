//! The encoding of protocol buffers: fields one after the other, each with its number and its kind.
//!
//! Nothing is copied, and every length is compared with what is left of the file before it is used.

use crate::{Error, Result};

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    /// A string, a message or packed numbers.
    Bytes(&'a [u8]),
}

fn wrong(what: &str) -> Error {
    Error::Msg(format!("not a valid protocol buffer: {what}"))
}

impl<'a> Value<'a> {
    pub(crate) fn bytes(self) -> Result<&'a [u8]> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(wrong("a number stands where a message or a string belongs")),
        }
    }

    pub(crate) fn text(self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| wrong("a name is not UTF-8"))
    }

    pub(crate) fn number(self) -> Result<u64> {
        match self {
            Value::Varint(n) | Value::Fixed64(n) => Ok(n),
            Value::Fixed32(n) => Ok(u64::from(n)),
            Value::Bytes(_) => Err(wrong("a message stands where a number belongs")),
        }
    }

    pub(crate) fn int(self) -> Result<i64> {
        // Negative numbers are written as 64 bits in two's complement.
        Ok(self.number()?.cast_signed())
    }

    pub(crate) fn float(self) -> Result<f32> {
        match self {
            Value::Fixed32(bits) => Ok(f32::from_bits(bits)),
            _ => Err(wrong("a float is not of four bytes")),
        }
    }

    /// Adds one number, or all of them where they are packed.
    pub(crate) fn ints(self, into: &mut Vec<i64>) -> Result<()> {
        match self {
            Value::Bytes(mut rest) => {
                while !rest.is_empty() {
                    into.push(varint(&mut rest)?.cast_signed());
                }
            }
            value => into.push(value.int()?),
        }
        Ok(())
    }

    /// Adds one `float`, or all of them where they are packed.
    pub(crate) fn floats(self, into: &mut Vec<f32>) -> Result<()> {
        match self {
            Value::Bytes(bytes) => {
                let (floats, []) = bytes.as_chunks() else { return Err(wrong("packed floats are cut off")) };
                into.extend(floats.iter().map(|bits| f32::from_le_bytes(*bits)));
            }
            value => into.push(value.float()?),
        }
        Ok(())
    }

    /// Adds one `double`, or all of them where they are packed.
    pub(crate) fn doubles(self, into: &mut Vec<f64>) -> Result<()> {
        match self {
            Value::Bytes(bytes) => {
                let (doubles, []) = bytes.as_chunks() else { return Err(wrong("packed doubles are cut off")) };
                into.extend(doubles.iter().map(|bits| f64::from_le_bytes(*bits)));
            }
            Value::Fixed64(bits) => into.push(f64::from_bits(bits)),
            _ => return Err(wrong("a double is not of eight bytes")),
        }
        Ok(())
    }
}

/// A number of one to ten bytes, seven bits in each.
pub(crate) fn varint(rest: &mut &[u8]) -> Result<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let [byte, after @ ..] = *rest else { return Err(wrong("it ends within a number")) };
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(wrong("a number has more than ten bytes"))
}

/// The first `len` bytes.
pub(crate) fn take<'a>(rest: &mut &'a [u8], len: u64) -> Result<&'a [u8]> {
    let split = usize::try_from(len).ok().and_then(|len| rest.split_at_checked(len));
    let Some((taken, after)) = split else {
        return Err(wrong(&format!("a length of {len} bytes, and {} bytes are left", rest.len())));
    };
    *rest = after;
    Ok(taken)
}

/// The fields of a message in the order of the file. Unknown ones come too: whoever reads passes them by.
pub(crate) fn fields(message: &[u8]) -> Fields<'_> {
    Fields { rest: message }
}

pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Result<(u64, Value<'a>)> {
        let key = varint(&mut self.rest)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut self.rest)?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let len = varint(&mut self.rest)?;
                Value::Bytes(take(&mut self.rest, len)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            kind => return Err(wrong(&format!("a field of the unknown kind {kind}"))),
        };
        match key >> 3 {
            0 => Err(wrong("a field has the number 0")),
            number => Ok((number, value)),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let bytes = take(&mut self.rest, N as u64)?;
        Ok(bytes.try_into().unwrap_or([0; N]))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Key and value of an entry of a map.
pub(crate) fn entry(message: &[u8]) -> Result<(&str, &[u8])> {
    let (mut key, mut value) = ("", &[][..]);
    for field in fields(message) {
        match field? {
            (1, v) => key = v.text()?,
            (2, v) => value = v.bytes()?,
            _ => {}
        }
    }
    Ok((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification: field 1 is 150, field 2 is "testing", field 3 the bits of 1.5.
    const MESSAGE: [u8; 17] =
        [0x08, 0x96, 0x01, 0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67, 0x1d, 0, 0, 0xc0, 0x3f];

    fn read(message: &[u8]) -> Result<Vec<(u64, Value<'_>)>> {
        fields(message).collect()
    }

    #[test]
    fn fields_come_in_order() {
        let found = read(&MESSAGE).unwrap();
        assert_eq!(found[0], (1, Value::Varint(150)));
        assert_eq!(found[1].1.text().unwrap(), "testing");
        assert_eq!(found[2].1.float().unwrap(), 1.5);
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_message_cut_anywhere_within_a_field_is_an_error() {
        for len in 0..MESSAGE.len() {
            let whole = [0, 3, 12].contains(&len);
            assert_eq!(read(&MESSAGE[..len]).is_ok(), whole, "{len} bytes");
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_an_error() {
        let huge = [0x12, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let error = read(&huge).unwrap_err().to_string();
        assert!(error.contains("18446744073709551615 bytes, and 0 bytes are left"), "{error}");
    }

    #[test]
    fn what_no_writer_writes_is_an_error() {
        assert!(read(&[0x0b]).is_err(), "a group");
        assert!(read(&[0x00, 0x00]).is_err(), "field 0");
        assert!(read(&[0x08, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]).is_err(), "11 bytes");
    }

    #[test]
    fn numbers_are_read_packed_and_one_by_one() {
        let mut ints = Vec::new();
        Value::Bytes(&[0x03, 0x8e, 0x02, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01])
            .ints(&mut ints)
            .unwrap();
        Value::Varint(7).ints(&mut ints).unwrap();
        assert_eq!(ints, [3, 270, -1, 7]);
        assert!(Value::Bytes(&[0, 0, 0]).floats(&mut Vec::new()).is_err());
    }
}
