//! Folds the log into the table: both are read as streams, and what speaks of no content that is kept is left out.

use super::record::{HashRecord, RECORD_BYTES};
use crate::layout;
use crate::small_files::put_in_place;
use crate::spill::{Pool, Sorted, Sorter};
use octo_core::merge::{Pair, merge};
use octo_core::{Error, Target, TargetFile};
use std::sync::Arc;

/// Read and written at once.
const BUFFER_BYTES: usize = RECORD_BYTES << 10;

/// What folding found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Folded {
    /// Records that were damaged: they are lost.
    pub damaged: u64,
}

/// Makes a new table of the table and the log, which is gone then. `oldest_kept`: versions of earlier runs are kept no more.
/// If the process dies meanwhile, or finds no space, both are as they were.
pub fn fold_in(target: &dyn Target, pool: &Arc<Pool>, oldest_kept: u64) -> Result<Folded, Error> {
    let Some(log) = target.open_file(&layout::hash_log())? else { return Ok(Folded::default()) };
    let mut folded = Folded::default();
    let newer = sorted(target, pool, &*log, &mut folded)?;
    drop(log);
    let made = write(target, &newer, oldest_kept, &mut folded);
    if made.is_err() {
        // What is left of it is written over by the next one.
        let _ = target.remove_file(&layout::new_hash_table());
    }
    made?;
    target.remove_file(&layout::hash_log())?;
    target.sync_folder(&layout::hashes())?;
    Ok(folded)
}

/// The records of the log by place and run, those of one run in their order.
fn sorted(target: &dyn Target, pool: &Arc<Pool>, log: &dyn TargetFile, folded: &mut Folded) -> Result<Sorted, Error> {
    let mut sorter = Sorter::new(target, pool);
    let mut records = Records::new(log)?;
    let mut number = 0u64;
    while let Some(read) = records.next_bytes() {
        match HashRecord::decode(&read) {
            Some(_) => sorter.push(&[&read[..12], &number.to_be_bytes()].concat(), &read)?,
            None => folded.damaged += 1,
        }
        number += 1;
    }
    sorter.finish()
}

fn write(target: &dyn Target, newer: &Sorted, oldest_kept: u64, folded: &mut Folded) -> Result<(), Error> {
    let (table, new) = (layout::hash_table(), layout::new_hash_table());
    let file = target.open_file(&table)?;
    let mut old = file.as_deref().map(Records::new).transpose()?;
    target.remove_file(&new)?;
    let mut out = Out { file: target.create_file(&new)?, at: 0, buffer: Vec::with_capacity(BUFFER_BYTES) };
    let mut damaged = 0;
    let older = std::iter::from_fn(|| {
        loop {
            match old.as_mut()?.next_bytes() {
                Some(bytes) => match HashRecord::decode(&bytes) {
                    Some(record) => return Some(Ok(record)),
                    None => damaged += 1,
                },
                None => return None,
            }
        }
    });
    let newer = newer.iter()?.filter_map(|record| record.map(|it| HashRecord::decode(it.value())).transpose());
    let order = |a: &HashRecord, b: &HashRecord| (a.key, a.run).cmp(&(b.key, b.run));
    let mut group: Vec<HashRecord> = Vec::new();
    for pair in merge(older, newer, order) {
        let these = match pair? {
            Pair::Source(one) | Pair::Target(one) => [Some(one), None],
            Pair::Both(older, newer) => [Some(older), Some(newer)],
        };
        for record in these.into_iter().flatten() {
            if group.first().is_some_and(|first| first.key != record.key) {
                out.push(&settle(&mut group, oldest_kept))?;
            }
            add(&mut group, record);
        }
    }
    out.push(&settle(&mut group, oldest_kept))?;
    folded.damaged += damaged;
    out.finish()?;
    // Windows replaces no file that is open.
    drop(file);
    put_in_place(target, &new, &table)
}

/// One more record of a place. What says the same again only says that it was still so.
fn add(group: &mut Vec<HashRecord>, record: HashRecord) {
    // What came back to a place after something was deleted there begins again.
    let since = group.iter_mut().rev().take_while(|it| it.content.is_some());
    match since.into_iter().find(|it| it.content == record.content) {
        Some(known) => known.checked = known.checked.max(record.checked),
        None => group.push(record),
    }
}

/// Which records of a place stay. A content that a run replaced or deleted is a version of that run: its record stays as long
/// as that is kept. The last two stay in any case: a file may not have got the place for which its record was written.
fn settle(group: &mut Vec<HashRecord>, oldest_kept: u64) -> Vec<HashRecord> {
    let len = group.len();
    let ends_gone = group.last().is_some_and(|last| last.content.is_none());
    let is_kept = |at: usize| {
        let until = group.get(at + 1).map(|next| u64::from(next.run));
        (!ends_gone && at + 2 >= len) || until.is_some_and(|run| run >= oldest_kept)
    };
    let kept: Vec<HashRecord> = (0..len).filter(|&at| is_kept(at)).map(|at| group[at]).collect();
    let last = group.pop().filter(|_| ends_gone && !kept.is_empty());
    group.clear();
    kept.into_iter().chain(last).collect()
}

/// Reads a file of records from its beginning.
struct Records<'f> {
    file: &'f dyn TargetFile,
    read_to: u64,
    end: u64,
    buffer: Vec<u8>,
    at: usize,
}

impl<'f> Records<'f> {
    fn new(file: &'f dyn TargetFile) -> Result<Records<'f>, Error> {
        Ok(Records { file, read_to: 0, end: file.meta()?.size_bytes, buffer: Vec::new(), at: 0 })
    }

    /// The bytes of the next record; one that is cut off at the end is none.
    fn next_bytes(&mut self) -> Option<[u8; RECORD_BYTES]> {
        if self.buffer.len().saturating_sub(self.at) < RECORD_BYTES {
            self.fill();
        }
        let bytes = self.buffer.get(self.at..self.at + RECORD_BYTES).and_then(|bytes| bytes.try_into().ok());
        self.at += RECORD_BYTES;
        bytes
    }

    /// What the disk cannot read comes as zeros, which are no record: the rest is kept, and backups go on.
    fn fill(&mut self) {
        let want = usize::try_from(self.end - self.read_to).unwrap_or(BUFFER_BYTES).min(BUFFER_BYTES);
        self.buffer.resize(want, 0);
        self.at = 0;
        let mut have = 0;
        while have < want {
            match self.file.read_at(self.read_to + have as u64, &mut self.buffer[have..]) {
                Ok(0) => break,
                Ok(n) => have += n,
                Err(_) => {
                    self.buffer[have..].fill(0);
                    have = want;
                }
            }
        }
        self.buffer.truncate(have);
        self.read_to += have as u64;
    }
}

/// The table that is being written.
struct Out {
    file: Box<dyn TargetFile>,
    at: u64,
    buffer: Vec<u8>,
}

impl Out {
    fn push(&mut self, records: &[HashRecord]) -> Result<(), Error> {
        for record in records {
            self.buffer.extend_from_slice(&record.encode());
            if self.buffer.len() >= BUFFER_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.file.write_at(self.at, &self.buffer)?;
        self.at += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<(), Error> {
        self.flush()?;
        self.file.sync()
    }
}
