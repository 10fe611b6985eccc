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
    /// The chunk being filled; those behind it are left from before the last [`Arena::clear`].
    current: usize,
    /// The size of the chunks up to the current one.
    chunk_bytes: usize,
}

impl Arena {
    /// Adds a record.
    pub fn push(&mut self, key: &[u8], value: &[u8]) {
        let len = key.len() + value.len();
        let has_room = |chunk: &Vec<u8>| chunk.capacity() - chunk.len() >= len;
        if !self.chunks.get(self.current).is_some_and(has_room) {
            self.next_chunk(len);
        }
        let as_u32 = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        if let Some(chunk) = self.chunks.get_mut(self.current) {
            let (at, offset) = (as_u32(self.current), as_u32(chunk.len()));
            self.slots.push(Slot { chunk: at, offset, key_len: as_u32(key.len()), len: as_u32(len) });
            chunk.extend_from_slice(key);
            chunk.extend_from_slice(value);
        }
    }

    /// Makes the next chunk the current one, with room for `len` bytes.
    fn next_chunk(&mut self, len: usize) {
        if !self.chunks.is_empty() {
            self.current += 1;
        }
        let size = (CHUNK_BYTES_MIN << self.current.min(16)).min(CHUNK_BYTES_MAX).max(len);
        match self.chunks.get_mut(self.current) {
            Some(chunk) if chunk.capacity() >= len => {}
            Some(chunk) => *chunk = Vec::with_capacity(size),
            None => self.chunks.push(Vec::with_capacity(size)),
        }
        self.chunk_bytes += self.chunks.get(self.current).map_or(0, Vec::capacity);
    }

    /// Forgets all records and keeps the memory for the next ones: giving it back and taking it again would scatter it.
    pub fn clear(&mut self) {
        self.chunks.iter_mut().for_each(Vec::clear);
        self.slots.clear();
        self.current = 0;
        self.chunk_bytes = self.chunks.first().map_or(0, Vec::capacity);
    }

    /// The memory that its records take.
    pub fn bytes(&self) -> usize {
        self.chunk_bytes + self.slots.len() * size_of::<Slot>()
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
