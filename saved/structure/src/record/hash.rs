//! A hash that is the same in every build, which those of the standard library need not be.

use std::fmt;

/// FNV-1a of 128 bits, over words of 64: wide enough that no two things are one by chance, and quick without optimization.
pub(super) struct Hash(u128);

impl Default for Hash {
    fn default() -> Self {
        Hash(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Hash {
    pub(super) fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ u128::from(word)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }

    /// The bytes, and how many they are.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.word(u64::from_le_bytes(word));
        }
        self.word(bytes.len() as u64);
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Hash;

    #[test]
    fn what_differs_anywhere_has_another_hash() {
        let of = |bytes: &[u8]| {
            let mut hash = Hash::default();
            hash.bytes(bytes);
            hash.to_string()
        };
        let bytes: Vec<u8> = (0..19).collect();
        let mut all = vec![of(&bytes), of(&bytes[..18]), of(&[]), of(&[0]), of(&[0, 0])];
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 0x80;
            all.push(of(&other));
        }
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
