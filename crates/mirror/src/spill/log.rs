//! An append-only list of records that can be read from either end.

use super::{READ_BYTES, read_exact};
use octo_core::{Error, Target, TargetFile};

/// What a log keeps in memory before it writes to its scratch file.
const MEMORY_BYTES: usize = 256 << 10;
/// Length before and after each record.
const FRAME: usize = 4;

/// Records being appended. Knows no target, so that it can be shared by threads behind a lock.
#[derive(Default)]
pub struct SpillBuffer {
    tail: Vec<u8>,
    file: Option<Box<dyn TargetFile>>,
    file_bytes: u64,
    count: u64,
}

impl SpillBuffer {
    /// Adds a record at the end; scratch files come from `target`.
    pub fn push(&mut self, target: &dyn Target, record: &[u8]) -> Result<(), Error> {
        let len = u32::try_from(record.len()).unwrap_or(u32::MAX).to_le_bytes();
        self.tail.extend_from_slice(&len);
        self.tail.extend_from_slice(record);
        self.tail.extend_from_slice(&len);
        self.count += 1;
        if self.tail.len() >= MEMORY_BYTES { self.flush(target) } else { Ok(()) }
    }

    fn flush(&mut self, target: &dyn Target) -> Result<(), Error> {
        let file = match self.file.take() {
            Some(file) => file,
            None => target.scratch()?,
        };
        file.write_at(self.file_bytes, &self.tail)?;
        self.file_bytes += self.tail.len() as u64;
        self.file = Some(file);
        self.tail.clear();
        Ok(())
    }

    /// Drops what is there, and starts over.
    pub fn take(&mut self) -> SpillLog {
        let SpillBuffer { tail, file, file_bytes, count } = std::mem::take(self);
        SpillLog { tail, file, file_bytes, count }
    }
}

/// Appends records.
pub struct SpillWriter<'a> {
    target: &'a dyn Target,
    buffer: SpillBuffer,
}

impl<'a> SpillWriter<'a> {
    /// An empty log whose scratch files `target` gives.
    pub fn new(target: &'a dyn Target) -> SpillWriter<'a> {
        SpillWriter { target, buffer: SpillBuffer::default() }
    }

    /// Adds a record at the end.
    pub fn push(&mut self, record: &[u8]) -> Result<(), Error> {
        self.buffer.push(self.target, record)
    }

    /// How many records there are.
    #[cfg(test)]
    pub fn count(&self) -> u64 {
        self.buffer.count
    }

    /// Drops what is there, and starts over.
    pub fn take(&mut self) -> SpillLog {
        self.buffer.take()
    }

    /// Ends writing.
    pub fn finish(mut self) -> SpillLog {
        self.buffer.take()
    }
}

/// A finished list of records.
pub struct SpillLog {
    tail: Vec<u8>,
    file: Option<Box<dyn TargetFile>>,
    file_bytes: u64,
    count: u64,
}

impl SpillLog {
    /// How many records there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// All records, first to last.
    pub fn forward(&self) -> impl Iterator<Item = Result<Vec<u8>, Error>> + '_ {
        let mut window = Window { log: self, start: 0, bytes: Vec::new() };
        let mut at = 0;
        std::iter::from_fn(move || (at < self.len_bytes()).then(|| window.next_forward(&mut at)))
    }

    /// All records, last to first.
    pub fn backward(&self) -> impl Iterator<Item = Result<Vec<u8>, Error>> + '_ {
        let mut window = Window { log: self, start: 0, bytes: Vec::new() };
        let mut end = self.len_bytes();
        std::iter::from_fn(move || (end > 0).then(|| window.next_backward(&mut end)))
    }

    fn len_bytes(&self) -> u64 {
        self.file_bytes + self.tail.len() as u64
    }

    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), Error> {
        let in_file = usize::try_from(self.file_bytes.saturating_sub(offset)).unwrap_or(usize::MAX).min(buffer.len());
        let (head, rest) = buffer.split_at_mut(in_file);
        if let (Some(file), false) = (&self.file, head.is_empty()) {
            read_exact(&**file, offset, head)?;
        }
        let from = usize::try_from((offset + in_file as u64).saturating_sub(self.file_bytes)).unwrap_or(usize::MAX);
        if let Some(bytes) = self.tail.get(from..from.saturating_add(rest.len())) {
            rest.copy_from_slice(bytes);
        }
        Ok(())
    }
}

/// The part of a log that is being read.
struct Window<'a> {
    log: &'a SpillLog,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// `len` bytes at `offset`. `backward` says where the neighbours that will be wanted next lie.
    fn get(&mut self, offset: u64, len: usize, backward: bool) -> Result<&[u8], Error> {
        let end = offset + len as u64;
        if offset < self.start || end > self.start + self.bytes.len() as u64 {
            let want = len.max(READ_BYTES) as u64;
            self.start = if backward { end.saturating_sub(want) } else { offset };
            let until = (self.start + want).min(self.log.len_bytes()).max(end);
            self.bytes.resize(usize::try_from(until - self.start).unwrap_or(0), 0);
            self.log.read(self.start, &mut self.bytes)?;
        }
        let from = usize::try_from(offset - self.start).unwrap_or(0);
        Ok(&self.bytes[from..from + len])
    }

    fn len_at(&mut self, offset: u64, backward: bool) -> Result<usize, Error> {
        let bytes = self.get(offset, FRAME, backward)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    }

    fn next_forward(&mut self, at: &mut u64) -> Result<Vec<u8>, Error> {
        let len = self.len_at(*at, false)?;
        let record = self.get(*at + FRAME as u64, len, false)?.to_vec();
        *at += (len + 2 * FRAME) as u64;
        Ok(record)
    }

    fn next_backward(&mut self, end: &mut u64) -> Result<Vec<u8>, Error> {
        let len = self.len_at(*end - FRAME as u64, true)?;
        let record = self.get(*end - (len + FRAME) as u64, len, true)?.to_vec();
        *end -= (len + 2 * FRAME) as u64;
        Ok(record)
    }
}
