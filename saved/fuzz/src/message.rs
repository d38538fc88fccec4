//! A protocol buffer as a tree, without knowledge of its types: what is a message is guessed.

/// A field: its number and what it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub number: u64,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(Vec<u8>),
    Message(Vec<Field>),
}

/// Deeper messages stay bytes.
const DEPTH: usize = 16;

pub fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

pub fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// The fields of a message, if it is one.
pub fn parse(bytes: &[u8]) -> Option<Vec<Field>> {
    parse_at(bytes, 0)
}

fn parse_at(bytes: &[u8], depth: usize) -> Option<Vec<Field>> {
    let mut rest = bytes;
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let number = key >> 3;
        // No message of TensorFlow's that counts here has fields of higher numbers.
        if number == 0 || number > 200 {
            return None;
        }
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut rest)?),
            1 => Value::Fixed64(u64::from_le_bytes(fixed(&mut rest)?)),
            5 => Value::Fixed32(u32::from_le_bytes(fixed(&mut rest)?)),
            2 => {
                let len = usize::try_from(varint(&mut rest)?).ok()?;
                let (part, after) = rest.split_at_checked(len)?;
                rest = after;
                bytes_or_message(part, depth)
            }
            _ => return None,
        };
        fields.push(Field { number, value });
    }
    Some(fields)
}

fn bytes_or_message(part: &[u8], depth: usize) -> Value {
    // Names are fields of high numbers to who does not know them.
    let text = part.len() > 2 && part.iter().all(|byte| (b' '..=b'~').contains(byte));
    match parse_at(part, depth + 1) {
        Some(fields) if depth < DEPTH && !fields.is_empty() && !text => Value::Message(fields),
        _ => Value::Bytes(part.to_vec()),
    }
}

fn fixed<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*bytes)
}

pub fn write(fields: &[Field]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        let key = |kind: u64| field.number << 3 | kind;
        match &field.value {
            Value::Varint(value) => {
                put_varint(&mut out, key(0));
                put_varint(&mut out, *value);
            }
            Value::Fixed64(value) => {
                put_varint(&mut out, key(1));
                out.extend(value.to_le_bytes());
            }
            Value::Fixed32(value) => {
                put_varint(&mut out, key(5));
                out.extend(value.to_le_bytes());
            }
            Value::Bytes(bytes) => part(&mut out, key(2), bytes),
            Value::Message(fields) => part(&mut out, key(2), &write(fields)),
        }
    }
    out
}

fn part(out: &mut Vec<u8>, key: u64, bytes: &[u8]) {
    put_varint(out, key);
    put_varint(out, bytes.len() as u64);
    out.extend(bytes);
}

/// A field that is bytes or a message.
pub fn bytes(number: u64, bytes: impl Into<Vec<u8>>) -> Field {
    Field { number, value: Value::Bytes(bytes.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_again() {
        let inner = write(&[bytes(1, "x:0"), Field { number: 2, value: Value::Varint(300) }]);
        let outer = write(&[bytes(7, inner), Field { number: 3, value: Value::Fixed32(5) }]);
        let tree = parse(&outer).unwrap();
        assert!(matches!(&tree[0].value, Value::Message(fields) if fields.len() == 2), "{tree:?}");
        assert_eq!(write(&tree), outer);
    }
}
