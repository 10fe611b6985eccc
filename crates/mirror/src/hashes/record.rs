//! One record: which content the copy at a place has. Of a fixed size, and with a check of its own, so that records are found
//! by halving a sorted file, and a damaged one says nothing and hides nobody else's.

use octo_core::naming::fold;
use octo_core::{Meta, RelPath, Timestamp};

/// The size of a record on the disk.
pub const RECORD_BYTES: usize = 76;
const CHECK_AT: usize = RECORD_BYTES - 4;
/// No file is so large: such a record says that nothing is at the place any more.
const GONE: u64 = u64::MAX;

/// What is known of a place since a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashRecord {
    /// The place, as [`key`] makes it.
    pub key: u64,
    /// The run that put the content there.
    pub run: u32,
    /// When the content was last known to have this hash, in seconds since 1970.
    pub checked: u32,
    /// The content; `None`: nothing is there any more.
    pub content: Option<Content>,
}

/// The hash of a content, and the file that it belongs to: of a file that is another by any of these it says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// The inode, as far as the target has such numbers. A mirror that was copied to another disk has others.
    pub inode: u64,
    /// The size.
    pub size_bytes: u64,
    /// The last write time, as the target stores it.
    pub write_time: Timestamp,
    /// BLAKE3.
    pub hash: [u8; 32],
}

impl Content {
    /// Of this file, as the target tells it.
    pub fn new(file: &Meta, hash: [u8; 32]) -> Content {
        Content { inode: inode(file), size_bytes: file.size_bytes, write_time: file.write_time, hash }
    }

    /// Whether size and time are those of this file.
    pub fn is_of(&self, file: &Meta) -> bool {
        self.size_bytes == file.size_bytes && self.write_time == file.write_time
    }
}

/// The number of a file; 0 where it has none.
pub fn inode(file: &Meta) -> u64 {
    let id = file.id.map_or(0, |id| id.id);
    #[allow(clippy::cast_possible_truncation, reason = "both halves count")]
    let folded = (id as u64) ^ ((id >> 64) as u64);
    folded
}

/// What a place is found by. On a target that folds case both spellings are one place.
pub fn key(place: &RelPath, folds_case: bool) -> u64 {
    let hash = match folds_case {
        true => blake3::hash(&fold(place.as_bytes())),
        false => blake3::hash(place.as_bytes()),
    };
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_be_bytes(first)
}

fn check(bytes: &[u8]) -> [u8; 4] {
    let hash = blake3::hash(bytes);
    let b = hash.as_bytes();
    [b[0], b[1], b[2], b[3]]
}

impl HashRecord {
    /// As it lies on the disk. Sorted as bytes, records are sorted by place and run.
    pub fn encode(&self) -> [u8; RECORD_BYTES] {
        let gone = Content { inode: 0, size_bytes: GONE, write_time: Timestamp(0), hash: [0; 32] };
        let content = self.content.unwrap_or(gone);
        let mut bytes = [0; RECORD_BYTES];
        bytes[..8].copy_from_slice(&self.key.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.run.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.checked.to_le_bytes());
        bytes[16..24].copy_from_slice(&content.inode.to_le_bytes());
        bytes[24..32].copy_from_slice(&content.size_bytes.to_le_bytes());
        bytes[32..40].copy_from_slice(&content.write_time.0.to_le_bytes());
        bytes[40..CHECK_AT].copy_from_slice(&content.hash);
        let check = check(&bytes[..CHECK_AT]);
        bytes[CHECK_AT..].copy_from_slice(&check);
        bytes
    }

    /// Reads what [`HashRecord::encode`] wrote; `None` if it is damaged, or no record.
    pub fn decode(bytes: &[u8]) -> Option<HashRecord> {
        let bytes: &[u8; RECORD_BYTES] = bytes.try_into().ok()?;
        if check(&bytes[..CHECK_AT]) != bytes[CHECK_AT..] {
            return None;
        }
        let four = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        let eight = |at: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&bytes[at..at + 8]);
            eight
        };
        let mut hash = [0; 32];
        hash.copy_from_slice(&bytes[40..CHECK_AT]);
        let size_bytes = u64::from_le_bytes(eight(24));
        let content = (size_bytes != GONE).then(|| Content {
            inode: u64::from_le_bytes(eight(16)),
            size_bytes,
            write_time: Timestamp(i64::from_le_bytes(eight(32))),
            hash,
        });
        let (run, checked) = (u32::from_be_bytes(four(8)), u32::from_le_bytes(four(12)));
        Some(HashRecord { key: u64::from_be_bytes(eight(0)), run, checked, content })
    }
}

/// Each piece of this size becomes a record whose check fits, as somebody could write it.
#[cfg(any(test, feature = "fuzzing"))]
pub fn sealed(pieces: &[u8]) -> Vec<u8> {
    pieces.chunks_exact(CHECK_AT).flat_map(|piece| [piece, &check(piece)].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_record_is_read_as_it_was_written_and_with_any_bit_flipped_it_is_none(
            (key, run, checked) in any::<(u64, u32, u32)>(),
            content in proptest::option::of((any::<u64>(), 0..u64::MAX, any::<i64>(), any::<[u8; 32]>())),
            bit in 0..RECORD_BYTES * 8,
        ) {
            let content = content.map(|(inode, size_bytes, time, hash)| {
                Content { inode, size_bytes, write_time: Timestamp(time), hash }
            });
            let record = HashRecord { key, run, checked, content };
            let mut bytes = record.encode();
            prop_assert_eq!(HashRecord::decode(&bytes), Some(record));
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(HashRecord::decode(&bytes), None);
        }
    }
}
