//! `versions/<run>/changes`: what a run changed, one JSON object a line, each written before its effect.
//!
//! Together with `versions/<run>/tree` it takes the mirror back: the state before run k is the mirror, then for each run
//! from the newest to k: remove what was created, put back what is in `tree`, set the old times. A record whose effect
//! did not happen (the process died between the two) does no harm: what was not created is not there to remove, what
//! was not replaced or deleted is put back over itself.

use crate::{files, layout};
use octo_core::{Error, Kind, RelPath, Target, TargetFile, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "do")]
pub enum Record {
    /// The mirror was empty before this run: before it, nothing is there. No `created` records follow.
    Began,
    /// Something that was not there.
    Created {
        /// Where.
        path: RelPath,
        /// What.
        kind: Kind,
    },
    /// The old content is in `tree`.
    Replaced {
        /// Where.
        path: RelPath,
        /// Old size.
        size_bytes: u64,
        /// Old last write time, in 100 ns ticks since 1970.
        write_time: Timestamp,
    },
    /// A deletion that was decided. The old content is in `tree` once it was done.
    Deleted {
        /// Where.
        path: RelPath,
        /// What.
        kind: Kind,
        /// Old size.
        size_bytes: u64,
        /// Old last write time.
        write_time: Timestamp,
    },
    /// Renamed; the content is also in `tree` under the old path.
    Moved {
        /// Old place.
        from: RelPath,
        /// New place.
        to: RelPath,
        /// Size.
        size_bytes: u64,
        /// Last write time.
        write_time: Timestamp,
    },
    /// Its time was set, or, of a folder, moves with what is changed in it.
    Restamped {
        /// Where.
        path: RelPath,
        /// What.
        kind: Kind,
        /// Old last write time.
        write_time: Timestamp,
    },
    /// Its metadata was set anew; the old is in `meta/`, as that of its path in `tree`.
    Metadata {
        /// Where.
        path: RelPath,
        /// What.
        kind: Kind,
    },
}

/// Appends records; shared by all threads of a run. The file and its folder appear with the first record.
pub struct ChangesLog<'a> {
    target: &'a dyn Target,
    run: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    file: Option<Box<dyn TargetFile>>,
    at: u64,
    /// The mirror was empty: creations need no record.
    began: bool,
}

impl<'a> ChangesLog<'a> {
    /// The log of a run that has changed nothing yet.
    pub fn new(target: &'a dyn Target, run: u64) -> ChangesLog<'a> {
        ChangesLog { target, run, state: Mutex::default() }
    }

    /// Writes one record.
    pub fn record(&self, record: &Record) -> Result<(), Error> {
        self.record_all(std::slice::from_ref(record))
    }

    /// Writes several records at once.
    pub fn record_all(&self, records: &[Record]) -> Result<(), Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = Vec::new();
        for record in records {
            match record {
                Record::Began => state.began = true,
                Record::Created { .. } if state.began => continue,
                _ => {}
            }
            serde_json::to_writer(&mut lines, record)
                .map_err(|e| Error::new(octo_core::Code::TargetFailed, e.to_string()))?;
            lines.push(b'\n');
        }
        if lines.is_empty() {
            return Ok(());
        }
        if state.file.is_none() {
            files::ensure_folder(self.target, &layout::versions_of(self.run))?;
            state.file = Some(self.target.create_file(&layout::changes(self.run))?);
        }
        if let Some(file) = &state.file {
            file.write_at(state.at, &lines)?;
        }
        state.at += lines.len() as u64;
        Ok(())
    }

    /// Makes all records durable.
    pub fn sync(&self) -> Result<(), Error> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.file.as_ref().map_or(Ok(()), |file| file.sync())
    }
}

/// Reads the records of a run. A torn last line is left out; so is anything else that is not a record.
pub fn read(target: &dyn Target, run: u64, mut each: impl FnMut(Record) -> Result<(), Error>) -> Result<(), Error> {
    let Some(file) = target.open_file(&layout::changes(run))? else { return Ok(()) };
    let mut pending = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    let mut at = 0;
    loop {
        let n = file.read_at(at, &mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        at += n as u64;
        pending.extend_from_slice(&buffer[..n]);
        let whole = pending.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        for line in pending[..whole].split(|&b| b == b'\n') {
            if let Ok(record) = serde_json::from_slice(line) {
                each(record)?;
            }
        }
        pending.drain(..whole);
    }
}
