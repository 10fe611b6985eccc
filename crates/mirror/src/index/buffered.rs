//! Reads a file of the index in large pieces: one call to the disk for many records.

use octo_core::{Error, TargetFile};

const BUFFER_BYTES: usize = 128 << 10;

/// A file and the piece of it that was read last.
pub struct Buffered<'a> {
    file: &'a dyn TargetFile,
    end: u64,
    buffer: Vec<u8>,
    buffer_at: u64,
}

impl<'a> Buffered<'a> {
    /// Nothing from `end` on is read.
    pub fn new(file: &'a dyn TargetFile, end: u64) -> Buffered<'a> {
        Buffered { file, end, buffer: Vec::new(), buffer_at: 0 }
    }

    /// Where reading ends.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// `len` bytes at `at`; `None` if the file ends before.
    pub fn bytes(&mut self, at: u64, len: usize) -> Result<Option<&[u8]>, Error> {
        let Some(past) = at.checked_add(len as u64).filter(|past| *past <= self.end) else { return Ok(None) };
        if at < self.buffer_at || past > self.buffer_at + self.buffer.len() as u64 {
            self.fill(at, len)?;
        }
        let from = usize::try_from(at - self.buffer_at).unwrap_or(usize::MAX);
        Ok(from.checked_add(len).and_then(|to| self.buffer.get(from..to)))
    }

    fn fill(&mut self, at: u64, len: usize) -> Result<(), Error> {
        let want = (len.max(BUFFER_BYTES) as u64).min(self.end - at);
        self.buffer.resize(usize::try_from(want).unwrap_or(0), 0);
        self.buffer_at = at;
        let mut have = 0;
        while have < self.buffer.len() {
            match self.file.read_at(at + have as u64, &mut self.buffer[have..]) {
                Ok(0) => break,
                Ok(n) => have += n,
                Err(error) => {
                    self.buffer.clear();
                    return Err(error);
                }
            }
        }
        self.buffer.truncate(have);
        Ok(())
    }
}
