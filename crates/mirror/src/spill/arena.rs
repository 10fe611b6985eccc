//! Records in memory, close together: no allocation for each, none ever moved, so that memory is what it says it is.

use super::Record;

/// The first chunk is small, because most folders are; each further one twice as large, up to the largest.
const CHUNK_BYTES_MIN: usize = 2 << 10;
const CHUNK_BYTES_MAX: usize = 256 << 10;

#[derive(Clone, Copy)]
struct Slot {
    chunk: u32,
    offset: u32,
    key_len: u32,
    len: u32,
}

/// Records in memory.
#[derive(Default)]
pub struct Arena {
    chunks: Vec<Vec<u8>>,
    slots: Vec<Slot>,
    chunk_bytes: usize,
}

impl Arena {
    /// Adds a record.
    pub fn push(&mut self, key: &[u8], value: &[u8]) {
        let len = key.len() + value.len();
        if self.chunks.last().is_none_or(|chunk| chunk.capacity() - chunk.len() < len) {
            let size = (CHUNK_BYTES_MIN << self.chunks.len().min(16)).min(CHUNK_BYTES_MAX).max(len);
            self.chunks.push(Vec::with_capacity(size));
            self.chunk_bytes += size;
        }
        let as_u32 = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let at = self.chunks.len().saturating_sub(1);
        if let Some(chunk) = self.chunks.last_mut() {
            let (chunk_at, offset) = (as_u32(at), as_u32(chunk.len()));
            self.slots.push(Slot { chunk: chunk_at, offset, key_len: as_u32(key.len()), len: as_u32(len) });
            chunk.extend_from_slice(key);
            chunk.extend_from_slice(value);
        }
    }

    /// The memory it takes.
    pub fn bytes(&self) -> usize {
        self.chunk_bytes + self.slots.capacity() * size_of::<Slot>()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Sorts by key.
    pub fn sort(&mut self) {
        let chunks = &self.chunks;
        let key = |s: &Slot| &chunks[s.chunk as usize][s.offset as usize..(s.offset + s.key_len) as usize];
        self.slots.sort_unstable_by(|a, b| key(a).cmp(key(b)));
    }

    /// All records with the length of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], u32)> {
        self.slots.iter().map(|s| {
            let from = s.offset as usize;
            (&self.chunks[s.chunk as usize][from..from + s.len as usize], s.key_len)
        })
    }

    /// All records, as their own.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        self.iter().map(|(bytes, key_len)| Record::new(bytes.to_vec(), key_len as usize))
    }
}
