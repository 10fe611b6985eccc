//! The BLAKE3 hash of every copy, for good: part of the backup, not a cache. `hashes/table` holds them sorted, `hashes/log` what
//! came since; why they are kept so: docs/decisions/content-hash.md.
//!
//! A record says: the file that had this inode, size and last write time at this place had this content. So it stays true
//! whatever happens afterwards, and a record of what did not happen harms nobody. Versions need no records of their own: what
//! lies in `versions/<run>/tree/<place>` was at that place before that run. It must never say of a file what it does not know
//! of its content: a file of another size or time has no hash here.

mod fold;
mod log;
mod record;
mod table;

pub use fold::{Folded, fold_in};
pub use record::Content;
#[cfg(any(test, feature = "fuzzing"))]
pub use record::{RECORD_BYTES, sealed};

use crate::spill::Pool;
use log::HashLog;
use octo_core::{Code, Error, Meta, RelPath, Target, Timestamp};
use record::{HashRecord, inode, key};
use std::sync::Arc;
use table::HashTable;

/// What is known of the content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownHash {
    /// It has this hash, if it is as it was.
    Hash {
        /// The content.
        content: Content,
        /// The run that put it there.
        run: u32,
        /// When it was last known to be so, in seconds since 1970.
        checked: u32,
    },
    /// This file had another size or time when it was put there.
    Other(Content),
    /// Nothing.
    Nothing,
}

/// The hashes of a mirror: those that there were, and those that come in this run.
pub struct Hashes<'a> {
    table: HashTable,
    log: HashLog<'a>,
    run: u32,
    /// The moment at which the content is known, in seconds since 1970.
    now: u32,
    folds_case: bool,
}

/// Seconds since 1970, as records have them.
pub fn seconds(time: Timestamp) -> u32 {
    u32::try_from(time.to_unix().0.max(0)).unwrap_or(u32::MAX)
}

impl<'a> Hashes<'a> {
    /// Those of a mirror at the beginning of a run, after the log was folded in.
    pub fn new(target: &'a dyn Target, run: u64, now: Timestamp, folds_case: bool) -> Result<Hashes<'a>, Error> {
        let run = u32::try_from(run).unwrap_or(u32::MAX);
        Ok(Hashes { table: HashTable::open(target)?, log: HashLog::new(target), run, now: seconds(now), folds_case })
    }

    /// `file` has this content, and gets its place now, or has it.
    pub fn copied(&self, place: &RelPath, file: &Meta, hash: [u8; 32]) -> Result<(), Error> {
        self.append(place, self.run, Some(Content::new(file, hash)))
    }

    /// The content of what lies as a version of `run`, or, without one, at the place itself, was read.
    pub fn checked(&self, place: &RelPath, run: u32, content: Content) -> Result<(), Error> {
        self.append(place, run, Some(content))
    }

    /// `file` is to be found at `to`, and then perhaps with the time of `new`: its content goes with it.
    pub fn follows(&self, from: &RelPath, file: &Meta, to: &RelPath, new: &Meta) -> Result<(), Error> {
        match self.find(from, None, file)? {
            KnownHash::Hash { content, checked, .. } => {
                let content = Some(Content::new(new, content.hash));
                let record = HashRecord { key: key(to, self.folds_case), run: self.run, checked, content };
                self.log.append(&[record])
            }
            _ => Ok(()),
        }
    }

    /// Nothing is at this place any more: what was there is a version now.
    pub fn gone(&self, place: &RelPath) -> Result<(), Error> {
        self.append(place, self.run, None)
    }

    fn append(&self, place: &RelPath, run: u32, content: Option<Content>) -> Result<(), Error> {
        self.log.append(&[HashRecord { key: key(place, self.folds_case), run, checked: self.now, content }])
    }

    /// What was known, before this run, of the file at a place, or of the version that a run made of what was there.
    pub fn find(&self, place: &RelPath, version_of: Option<u64>, file: &Meta) -> Result<KnownHash, Error> {
        let records = self.table.find(key(place, self.folds_case))?;
        Ok(choose(&records, version_of, file))
    }

    /// Makes all records of this run durable.
    pub fn sync(&self) -> Result<(), Error> {
        self.log.sync()
    }

    /// Lets go of the files, before the log is folded in.
    pub fn close(&mut self) {
        self.log.close();
        self.table = HashTable::default();
    }
}

/// The hashes of a mirror as they are, for who only reads it. What an unfinished run recorded is not among them.
pub struct RecordedHashes {
    table: HashTable,
    folds_case: bool,
}

impl RecordedHashes {
    /// Those of a mirror.
    pub fn open(target: &dyn Target, folds_case: bool) -> Result<RecordedHashes, Error> {
        Ok(RecordedHashes { table: HashTable::open(target)?, folds_case })
    }

    /// The hash of the file at a place, or of the version that a run made of what was there; `None` if it is not known.
    pub fn find(&self, place: &RelPath, version_of: Option<u64>, file: &Meta) -> Result<Option<[u8; 32]>, Error> {
        let records = self.table.find(key(place, self.folds_case))?;
        Ok(match choose(&records, version_of, file) {
            KnownHash::Hash { content, .. } => Some(content.hash),
            _ => None,
        })
    }
}

/// Of the records of a place, the one of this file: that of the same file, or, where inodes are others, the newest that was
/// there before the run that made a version of it.
fn choose(records: &[HashRecord], version_of: Option<u64>, file: &Meta) -> KnownHash {
    let contents = || records.iter().rev().filter_map(|record| record.content.map(|content| (record, content)));
    let was_there = |record: &HashRecord| version_of.is_none_or(|run| u64::from(record.run) < run);
    let is_same = |content: &Content| content.inode != 0 && content.inode == inode(file);
    let same = contents().find(|(_, content)| content.is_of(file) && is_same(content));
    let alike = || contents().find(|(record, content)| content.is_of(file) && was_there(record));
    let late = || contents().find(|(_, content)| content.is_of(file));
    if let Some((record, content)) = same.or_else(alike).or_else(late) {
        return KnownHash::Hash { content, run: record.run, checked: record.checked };
    }
    // Another file, of which there is no record, proves nothing: records may be lost.
    contents()
        .find(|(_, content)| is_same(content))
        .map_or(KnownHash::Nothing, |(_, content)| KnownHash::Other(content))
}

/// Folds the log into the table, and leaves out what speaks of versions of earlier runs than `oldest_kept`. On a full disk all
/// stays as it is, and so it does on Windows while somebody has the table open.
pub fn settle(target: &dyn Target, pool: &Arc<Pool>, oldest_kept: u64) -> Result<Folded, Error> {
    match fold_in(target, pool, oldest_kept) {
        Err(error) if [Code::NoSpace, Code::TargetDenied].contains(&error.code) => Ok(Folded::default()),
        folded => folded,
    }
}
