//! One record: bytes of which the first are its key.

/// A key and a value.
#[derive(Debug, Clone)]
pub struct Record {
    pub(super) bytes: Vec<u8>,
    pub(super) key_len: usize,
}

impl Record {
    /// A record whose first `key_len` bytes are its key.
    pub fn new(bytes: Vec<u8>, key_len: usize) -> Record {
        let key_len = key_len.min(bytes.len());
        Record { bytes, key_len }
    }

    /// What it is sorted by.
    pub fn key(&self) -> &[u8] {
        &self.bytes[..self.key_len]
    }
    /// What it carries.
    pub fn value(&self) -> &[u8] {
        &self.bytes[self.key_len..]
    }
}
