//! Sorts more records than fit into memory: sorted runs in a scratch file, merged when they are read.

use super::arena::{Arena, Pool};
use super::record::Record;
use super::{READ_BYTES, read_exact};
use octo_core::{Error, Target, TargetFile};
use std::cmp::{Ordering as CmpOrdering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Runs merged at once; more are merged into one first, so that read buffers stay bounded.
const RUNS_MAX: usize = 64;
/// The buffers of all runs of a merge together, however many runs there are.
const MERGE_BYTES: usize = 512 << 10;
/// Length of the record and of its key, before each record of a run.
const HEAD_BYTES: usize = 8;

/// A record and the run it came from, in an order that only the key decides.
struct Head(Record, usize);

impl Ord for Head {
    fn cmp(&self, other: &Head) -> CmpOrdering {
        self.0.key().cmp(other.0.key()).then(self.1.cmp(&other.1))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Head) -> Option<CmpOrdering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Head) -> bool {
        self.cmp(other) == CmpOrdering::Equal
    }
}

impl Eq for Head {}

#[derive(Clone, Copy)]
struct Run {
    start: u64,
    end: u64,
}

/// Takes records in any order.
pub struct Sorter<'a> {
    target: &'a dyn Target,
    arena: Arena,
    runs: Vec<Run>,
    file: Option<Box<dyn TargetFile>>,
    file_bytes: u64,
    count: u64,
}

impl<'a> Sorter<'a> {
    /// An empty sorter whose scratch files `target` gives.
    pub fn new(target: &'a dyn Target, pool: &Arc<Pool>) -> Sorter<'a> {
        Sorter { target, arena: Arena::new(pool), runs: Vec::new(), file: None, file_bytes: 0, count: 0 }
    }

    /// Adds a record.
    pub fn push(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        if !self.arena.push(key, value) {
            self.spill()?;
            if !self.arena.push(key, value) {
                return Err(Error::new(octo_core::Code::TargetFailed, "an entry is larger than can be sorted"));
            }
        }
        self.count += 1;
        Ok(())
    }

    fn spill(&mut self) -> Result<(), Error> {
        self.arena.sort();
        let mut writer = RunWriter::new(self.file.take().map_or_else(|| self.target.scratch(), Ok)?, self.file_bytes);
        for (bytes, key_len) in self.arena.iter() {
            writer.push(bytes, key_len)?;
        }
        self.end_run(writer)?;
        self.arena.clear();
        if self.runs.len() == RUNS_MAX {
            self.merge_runs()?;
        }
        Ok(())
    }

    fn end_run(&mut self, writer: RunWriter) -> Result<(), Error> {
        let (file, end) = writer.finish()?;
        self.runs.push(Run { start: self.file_bytes, end });
        self.file_bytes = end;
        self.file = Some(file);
        Ok(())
    }

    /// All runs into one, in a new scratch file.
    fn merge_runs(&mut self) -> Result<(), Error> {
        let Some(old) = self.file.take() else { return Ok(()) };
        let mut writer = RunWriter::new(self.target.scratch()?, 0);
        for record in Merged::new(&*old, &self.runs)? {
            let record = record?;
            writer.push(&record.bytes, record.key_len)?;
        }
        self.runs.clear();
        self.file_bytes = 0;
        self.end_run(writer)
    }

    /// Ends adding.
    pub fn finish(mut self) -> Result<Sorted, Error> {
        if !self.runs.is_empty() && !self.arena.is_empty() {
            self.spill()?;
        }
        self.arena.sort();
        // What lies in the file needs no memory any more.
        let arena = Some(self.arena).filter(|_| self.runs.is_empty());
        Ok(Sorted { arena, runs: self.runs, file: self.file, count: self.count })
    }
}

/// Sorted records, readable as often as needed.
pub struct Sorted {
    /// The records, unless they are in the file.
    arena: Option<Arena>,
    runs: Vec<Run>,
    file: Option<Box<dyn TargetFile>>,
    count: u64,
}

impl Sorted {
    /// How many records there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Shows each record's key and value by key, without taking them out of memory.
    pub fn for_each(&self, mut show: impl FnMut(&[u8], &[u8]) -> Result<(), Error>) -> Result<(), Error> {
        if let Some(file) = &self.file {
            return Merged::new(&**file, &self.runs)?
                .try_for_each(|record| record.and_then(|r| show(r.key(), r.value())));
        }
        self.arena.iter().flat_map(Arena::iter).try_for_each(|(bytes, key_len)| {
            let (key, value) = bytes.split_at(key_len);
            show(key, value)
        })
    }

    /// The records by key; those of equal keys in no particular order.
    pub fn iter(&self) -> Result<Box<dyn Iterator<Item = Result<Record, Error>> + '_>, Error> {
        if let Some(file) = &self.file {
            return Ok(Box::new(Merged::new(&**file, &self.runs)?));
        }
        Ok(Box::new(self.arena.iter().flat_map(Arena::records).map(Ok)))
    }
}

/// Appends one sorted run to a scratch file.
struct RunWriter {
    file: Box<dyn TargetFile>,
    at: u64,
    buffer: Vec<u8>,
}

impl RunWriter {
    fn new(file: Box<dyn TargetFile>, at: u64) -> RunWriter {
        RunWriter { file, at, buffer: Vec::with_capacity(4 * READ_BYTES) }
    }

    fn push(&mut self, bytes: &[u8], key_len: usize) -> Result<(), Error> {
        self.buffer.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        self.buffer.extend_from_slice(&u32::try_from(key_len).unwrap_or(0).to_le_bytes());
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= 3 * READ_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.file.write_at(self.at, &self.buffer)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<(Box<dyn TargetFile>, u64), Error> {
        self.flush()?;
        Ok((self.file, self.at))
    }
}

/// Reads one run.
struct RunReader<'a> {
    file: &'a dyn TargetFile,
    run: Run,
    buffer: Vec<u8>,
    at: usize,
    read_bytes: usize,
}

impl RunReader<'_> {
    fn next(&mut self) -> Result<Option<Record>, Error> {
        if !self.fill(HEAD_BYTES)? {
            return Ok(None);
        }
        let number = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize;
        let (len, key_len) = (number(&self.buffer[self.at..]), number(&self.buffer[self.at + 4..]));
        self.at += HEAD_BYTES;
        if len > 0 && !self.fill(len)? {
            return Err(Error::new(octo_core::Code::TargetFailed, "a temporary file is damaged"));
        }
        let bytes = self.buffer[self.at..self.at + len].to_vec();
        self.at += len;
        Ok(Some(Record::new(bytes, key_len)))
    }

    /// Makes `want` bytes available; false at the end of the run.
    fn fill(&mut self, want: usize) -> Result<bool, Error> {
        if self.buffer.len() - self.at >= want {
            return Ok(true);
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        let have = self.buffer.len();
        let left = usize::try_from(self.run.end - self.run.start).unwrap_or(usize::MAX);
        let more = left.min(self.read_bytes.saturating_sub(have).max(want - have));
        self.buffer.resize(have + more, 0);
        read_exact(self.file, self.run.start, &mut self.buffer[have..])?;
        self.run.start += more as u64;
        Ok(self.buffer.len() >= want && want > 0)
    }
}

/// All runs merged by key.
struct Merged<'a> {
    readers: Vec<RunReader<'a>>,
    heads: BinaryHeap<Reverse<Head>>,
}

impl<'a> Merged<'a> {
    fn new(file: &'a dyn TargetFile, runs: &[Run]) -> Result<Merged<'a>, Error> {
        let read_bytes = (MERGE_BYTES / runs.len().max(1)).clamp(READ_BYTES / 8, READ_BYTES);
        let mut readers: Vec<_> = runs
            .iter()
            .map(|run| RunReader { file, run: *run, buffer: Vec::with_capacity(read_bytes), at: 0, read_bytes })
            .collect();
        let mut heads = BinaryHeap::new();
        for (i, reader) in readers.iter_mut().enumerate() {
            heads.extend(reader.next()?.map(|record| Reverse(Head(record, i))));
        }
        Ok(Merged { readers, heads })
    }
}

impl Iterator for Merged<'_> {
    type Item = Result<Record, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let Reverse(Head(record, i)) = self.heads.pop()?;
        match self.readers[i].next() {
            Ok(next) => self.heads.extend(next.map(|r| Reverse(Head(r, i)))),
            Err(error) => return Some(Err(error)),
        }
        Some(Ok(record))
    }
}
