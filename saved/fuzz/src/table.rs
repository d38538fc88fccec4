//! LevelDB tables: made of entries, and with the checksums of another mended, so that what is behind them is reached.

use crate::message::{put_varint, varint};

const FOOTER: usize = 48;
const MAGIC: u64 = 0xdb47_7524_8b80_fb57;
const TRAILER: usize = 5;

/// CRC-32C. It is not the one that is under test.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
        }
    }
    !crc
}

/// As it is stored.
pub fn masked(bytes: &[u8]) -> u32 {
    crc(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

fn put_block(file: &mut Vec<u8>, entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let first = file.len();
    for (key, value) in entries {
        for number in [0, key.len(), value.len()] {
            put_varint(file, number as u64);
        }
        file.extend(key);
        file.extend(value);
    }
    file.extend([0, 0, 0, 0, 1, 0, 0, 0]);
    let size = file.len() - first;
    file.push(0);
    let crc = masked(&file[first..]);
    file.extend(crc.to_le_bytes());
    let mut handle = Vec::new();
    put_varint(&mut handle, first as u64);
    put_varint(&mut handle, size as u64);
    handle
}

/// A table of these entries, in their order.
pub fn table(mut entries: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<u8> {
    entries.sort();
    let mut file = Vec::new();
    let data = put_block(&mut file, &entries);
    let meta = put_block(&mut file, &[]);
    let index = put_block(&mut file, &[(vec![0xff; 8], data)]);
    let mut footer = [meta, index].concat();
    footer.resize(FOOTER - 8, 0);
    file.extend(footer);
    file.extend(MAGIC.to_le_bytes());
    file
}

/// Puts the right checksum behind every block that can be found, and the right number at the end.
pub fn mend(file: &mut [u8]) -> Option<()> {
    let end = file.len().checked_sub(FOOTER)?;
    file[end + FOOTER - 8..].copy_from_slice(&MAGIC.to_le_bytes());
    let footer = file[end..].to_vec();
    let mut rest = &footer[..];
    (varint(&mut rest)?, varint(&mut rest)?);
    let (offset, size) = (varint(&mut rest)?, varint(&mut rest)?);
    mend_block(file, offset, size)?;
    let index = file[offset as usize..(offset + size) as usize].to_vec();
    let count = index.last_chunk::<4>().map(|count| u32::from_le_bytes(*count) as usize)?;
    let end = index.len().checked_sub(count.checked_mul(4)?.checked_add(4)?)?;
    let mut rest = &index[..end];
    while !rest.is_empty() {
        let [_, own, value] = [varint(&mut rest)?, varint(&mut rest)?, varint(&mut rest)?];
        rest = rest.get(usize::try_from(own).ok()?..)?;
        let (mut handle, after) = rest.split_at_checked(usize::try_from(value).ok()?)?;
        rest = after;
        mend_block(file, varint(&mut handle)?, varint(&mut handle)?);
    }
    Some(())
}

fn mend_block(file: &mut [u8], offset: u64, size: u64) -> Option<()> {
    let first = usize::try_from(offset).ok()?;
    let end = first.checked_add(usize::try_from(size).ok()?)?;
    let after = end.checked_add(TRAILER).filter(|after| *after <= file.len())?;
    let crc = masked(&file[first..=end]);
    file[end + 1..after].copy_from_slice(&crc.to_le_bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_table_is_mended() {
        let whole = table(vec![(b"a".to_vec(), b"1".to_vec()), (b"b".to_vec(), b"2".to_vec())]);
        // The kind of the first block, behind two entries and what says where whole keys are.
        let mut damaged = whole.clone();
        damaged[5..9].fill(0);
        let at = damaged.len() - 1;
        damaged[at] = 0;
        damaged[17..21].fill(7);
        mend(&mut damaged).unwrap();
        assert_ne!(damaged[..], whole[..]);
        assert_eq!(damaged[at], whole[at]);
    }
}
