//! Tensors that a checkpoint has in parts, each under a key of its own that says which part it is.

/// First element and number of elements along every axis; -1 for all of them.
pub type Slice = Vec<(i64, i64)>;

/// The key of a part: name and numbers in an encoding that keeps their order.
pub fn key(name: &str, slice: &[(i64, i64)]) -> Vec<u8> {
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
}
