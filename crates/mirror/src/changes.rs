//! `versions/<run>/changes`: what a run changed, one JSON object a line, each durable before its effect: a power cut may keep an
//! effect and lose what was written before it, and then nothing would say how it was. Records of many changes are synced at
//! once, as each sync costs a turn of the disk. The metadata of a version alone may be lost.
//!
//! Together with `versions/<run>/tree` it takes the mirror back: the state before run k is the mirror, then for each run
//! from the newest to k: remove what was created, put back what is in `tree`, set the old times. A record whose effect
//! did not happen (the process died between the two) does no harm: what was not created is not there to remove, what
//! was not replaced or deleted is put back over itself.

use crate::{files, layout};
use octo_core::{Error, Kind, Meta, RelPath, Target, TargetFile, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whose records follow. What another number said would take back, and remove, what others need: a line of which one bit is not what
/// was written is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "CheckedOfRun", into = "CheckedOfRun")]
pub struct OfRun {
    /// The run's number.
    pub run: u64,
    /// When it last wrote to its versions.
    pub written: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct CheckedOfRun {
    run: u64,
    written: Timestamp,
    /// The first 8 bytes of the BLAKE3 of both.
    check: String,
}

impl From<OfRun> for CheckedOfRun {
    fn from(OfRun { run, written }: OfRun) -> CheckedOfRun {
        let hash = blake3::hash(format!("{run} {}", written.0).as_bytes()).to_hex();
        CheckedOfRun { run, written, check: hash.chars().take(16).collect() }
    }
}

impl TryFrom<CheckedOfRun> for OfRun {
    type Error = &'static str;

    fn try_from(read: CheckedOfRun) -> Result<OfRun, &'static str> {
        let of_run = OfRun { run: read.run, written: read.written };
        let is_whole = CheckedOfRun::from(of_run).check == read.check;
        is_whole.then_some(of_run).ok_or("the check of a run's number is wrong")
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "do")]
pub enum Record {
    /// The mirror was empty before this run: before it, nothing is there. No `created` records follow.
    Began,
    /// The run kept nothing of what it changed: what was before it cannot be had. No other records follow.
    #[serde(rename = "not-kept")]
    NotKept,
    /// The records that follow are of this run. Its own state is not kept any more, so what it changed is taken back together
    /// with what the run of this file changed; the contents that it kept are still in its own `tree`.
    Run(OfRun),
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
    /// Its metadata was set again; the old is in `meta/`, as that of its path in `tree`.
    Metadata {
        /// Where.
        path: RelPath,
        /// What.
        kind: Kind,
    },
}

impl Record {
    /// The place that a file gets; its content may be torn if the power goes before the next checkpoint.
    pub fn place_of_file(&self) -> Option<&RelPath> {
        match self {
            Record::Created { path, kind: Kind::File } | Record::Replaced { path, .. } => Some(path),
            _ => None,
        }
    }

    /// A file gets its place: where nothing is, or in place of `old`.
    pub fn of_copy(place: &RelPath, old: Option<&Meta>) -> Record {
        let path = place.clone();
        match old {
            None => Record::Created { path, kind: Kind::File },
            Some(old) => Record::Replaced { path, size_bytes: old.size_bytes, write_time: old.write_time },
        }
    }

    /// The time of `old` will move.
    pub fn of_time(place: &RelPath, old: &Meta) -> Record {
        Record::Restamped { path: place.clone(), kind: old.kind, write_time: old.write_time }
    }

    /// Something is renamed.
    pub fn of_move(from: &RelPath, to: &RelPath, meta: &Meta) -> Record {
        let (from, to) = (from.clone(), to.clone());
        Record::Moved { from, to, size_bytes: meta.size_bytes, write_time: meta.write_time }
    }
}

/// A file to which records are appended, shared by all threads of a run. It and its folder appear with the first record.
pub struct RecordFile<'a> {
    target: &'a dyn Target,
    path: RelPath,
    state: Mutex<State>,
    /// Held while records are made durable, so that who comes meanwhile finds most of the work done.
    syncing: Mutex<()>,
}

#[derive(Default)]
struct State {
    file: Option<Arc<dyn TargetFile>>,
    at: u64,
    /// How many bytes are safe from a power cut.
    durable: u64,
}

impl<'a> RecordFile<'a> {
    /// One that is not there yet.
    pub fn new(target: &'a dyn Target, path: RelPath) -> RecordFile<'a> {
        RecordFile { target, path, state: Mutex::default(), syncing: Mutex::default() }
    }

    /// Writes several records at once.
    pub fn append<'r>(&self, records: impl IntoIterator<Item = &'r Record>) -> Result<(), Error> {
        let mut lines = Vec::new();
        for record in records {
            serde_json::to_writer(&mut lines, record)
                .map_err(|e| Error::new(octo_core::Code::TargetFailed, e.to_string()))?;
            lines.push(b'\n');
        }
        if lines.is_empty() {
            return Ok(());
        }
        let mut state = self.state();
        if state.file.is_none() {
            files::ensure_folder(self.target, &self.folder())?;
            state.file = Some(self.target.create_file(&self.path)?.into());
        }
        if let Some(file) = &state.file {
            file.write_at(state.at, &lines)?;
        }
        state.at += lines.len() as u64;
        Ok(())
    }

    /// Lets go of the file, which is removed next: FUSE and NFS keep a removed file that is open under another name.
    pub fn close(&self) {
        self.state().file = None;
    }

    /// Makes all records durable. Costs nothing if they are.
    pub fn sync(&self) -> Result<(), Error> {
        let _alone = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, at, is_first) = match &*self.state() {
            State { file: Some(file), at, durable } if durable < at => (Arc::clone(file), *at, *durable == 0),
            _ => return Ok(()),
        };
        file.sync()?;
        if is_first {
            let mut folder = self.folder();
            while !folder.is_root() {
                self.target.sync_folder(&folder)?;
                folder = folder.parent().unwrap_or_default();
            }
        }
        self.state().durable = at;
        Ok(())
    }

    /// How many bytes of records there are.
    pub fn len_bytes(&self) -> u64 {
        self.state().at
    }

    fn folder(&self) -> RelPath {
        self.path.parent().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a run changed.
pub struct ChangesLog<'a> {
    file: RecordFile<'a>,
    /// The mirror was empty: creations need no record.
    began: AtomicBool,
}

impl<'a> ChangesLog<'a> {
    /// The log of a run that has changed nothing yet.
    pub fn new(target: &'a dyn Target, run: u64) -> ChangesLog<'a> {
        ChangesLog { file: RecordFile::new(target, layout::changes(run)), began: AtomicBool::new(false) }
    }

    /// Whether it keeps such a record: in a run that found the mirror empty creations need none.
    pub fn takes(&self, record: &Record) -> bool {
        !(matches!(record, Record::Created { .. }) && self.began.load(Ordering::SeqCst))
    }

    /// Writes one record.
    pub fn record(&self, record: &Record) -> Result<(), Error> {
        self.record_all(std::slice::from_ref(record))
    }

    /// Writes several records at once.
    pub fn record_all(&self, records: &[Record]) -> Result<(), Error> {
        if records.contains(&Record::Began) {
            self.began.store(true, Ordering::SeqCst);
        }
        self.file.append(records.iter().filter(|record| self.takes(record)))
    }

    /// Makes all records durable. Costs nothing if they are.
    pub fn sync(&self) -> Result<(), Error> {
        self.file.sync()
    }

    /// How many bytes of records there are.
    pub fn len_bytes(&self) -> u64 {
        self.file.len_bytes()
    }
}

/// No record is longer: two paths of 64 KiB, each byte of them escaped.
const LINE_BYTES_MAX: usize = 1 << 20;

/// The first records that concern a run as a whole are shorter.
const FIRST_BYTES: usize = 1 << 10;

/// Reads the records of a run. A torn last line is left out; so is anything else that is not a record, a line without end too.
pub fn read(target: &dyn Target, run: u64, each: impl FnMut(Record) -> Result<(), Error>) -> Result<(), Error> {
    read_from(target, &layout::changes(run), 0, each)
}

/// The first line of a run's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum First {
    /// There is none, or it has no end: the process died as it wrote it.
    None,
    /// A record.
    Record(Record),
    /// It is not what was written.
    Damaged,
}

/// The first line of a run's records.
pub fn first(target: &dyn Target, run: u64) -> Result<First, Error> {
    let Some(file) = target.open_file(&layout::changes(run))? else { return Ok(First::None) };
    let mut buffer = vec![0; FIRST_BYTES];
    let read = file.read_at(0, &mut buffer)?;
    let line = buffer[..read].split_inclusive(|&b| b == b'\n').next().filter(|line| line.ends_with(b"\n"));
    Ok(line.map_or(First::None, |line| serde_json::from_slice(line).map_or(First::Damaged, First::Record)))
}

/// The same of one file of records, from the line that begins at this byte.
pub fn read_from(
    target: &dyn Target,
    path: &RelPath,
    from: u64,
    mut each: impl FnMut(Record) -> Result<(), Error>,
) -> Result<(), Error> {
    lines(target, path, from, |line| serde_json::from_slice(line).map_or(Ok(()), &mut each))
}

/// The lines of a file of ours that have an end and are not too long.
pub fn lines(
    target: &dyn Target,
    path: &RelPath,
    from: u64,
    mut each: impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let Some(file) = target.open_file(path)? else { return Ok(()) };
    let mut pending = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    // What was noted of another file says nothing of this one.
    let mut at = if from <= file.meta()?.size_bytes { from } else { 0 };
    loop {
        let n = file.read_at(at, &mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        at += n as u64;
        pending.extend_from_slice(&buffer[..n]);
        let whole = pending.iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        for line in pending[..whole].split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
            each(line)?;
        }
        pending.drain(..whole);
        if pending.len() > LINE_BYTES_MAX {
            // What follows of this line is no record either.
            pending.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octo_testkit::clock::TestClock;
    use octo_testkit::memory::MemTarget;

    #[test]
    fn a_line_without_end_is_no_record_and_those_after_it_are_read() {
        let target = MemTarget::new(Arc::new(TestClock::real()));
        files::ensure_folder(&target, &layout::versions_of(1)).unwrap();
        let lines =
            [b"{\"do\":\"began\"}\n".to_vec(), vec![b'x'; 3 << 20], b"\n{\"do\":\"began\"}\n".to_vec()].concat();
        target.create_file(&layout::changes(1)).unwrap().write_at(0, &lines).unwrap();
        let mut records = Vec::new();
        read(&target, 1, |record| {
            records.push(record);
            Ok(())
        })
        .unwrap();
        assert_eq!(records, [Record::Began, Record::Began]);
    }
}
