//! The runs that have versions: which there are, and what the first record of each says of it.
//!
//! A run whose state is not kept any more has no records of its own: they are with those of the next run that has some. Its
//! folder then holds only the contents that it kept.

use crate::changes::{self, First, OfRun, Record};
use crate::{files, layout};
use octo_core::{Error, Kind, Target, Timestamp};

/// One run that has versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionedRun {
    /// Its number.
    pub run: u64,
    /// The first run whose changes are taken back with it; the same one if its own are all.
    pub since: u64,
    /// When that one last wrote to them.
    pub since_written: Timestamp,
    /// When it last wrote to them.
    pub written: Timestamp,
    /// What was before it cannot be had: the mirror was empty, or the run kept nothing.
    pub is_first: bool,
    /// Whether there is a file of its records. Who died before has left only a folder.
    pub has_records: bool,
    /// The first of them is damaged: it is not known which runs they are of.
    pub is_damaged: bool,
}

impl VersionedRun {
    /// Looks at the records of a run.
    pub fn look(target: &dyn Target, run: u64) -> Result<VersionedRun, Error> {
        let there = target.look(&layout::changes(run))?;
        let written = match there {
            Some(meta) => meta.write_time,
            None => target.look(&layout::versions_of(run))?.map_or(Timestamp::default(), |meta| meta.write_time),
        };
        let has_records = there.is_some();
        let (since, since_written) = (run, written);
        let plain =
            VersionedRun { run, since, since_written, written, is_first: false, has_records, is_damaged: false };
        Ok(match changes::first(target, run)? {
            First::Record(Record::Began | Record::NotKept) => VersionedRun { is_first: true, ..plain },
            First::Record(Record::Run(OfRun { run: since, written })) if since <= run => {
                VersionedRun { since, since_written: written, ..plain }
            }
            First::Damaged | First::Record(Record::Run(_)) => VersionedRun { is_damaged: true, ..plain },
            First::None | First::Record(_) => plain,
        })
    }
}

/// The runs that have a folder of versions, by their numbers, those without records of their own included.
pub fn folders(target: &dyn Target) -> Result<Vec<u64>, Error> {
    let entries = files::list_small(target, &layout::versions())?;
    let folders = entries.into_iter().filter(|entry| entry.meta.kind == Kind::Folder);
    let number = |name: &[u8]| std::str::from_utf8(name).ok().and_then(|name| name.parse().ok());
    let mut numbers: Vec<u64> = folders.filter_map(|entry| number(entry.name.as_bytes())).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The runs that have versions, by their numbers.
pub fn versioned_runs(target: &dyn Target) -> Result<Vec<VersionedRun>, Error> {
    let mut runs: Vec<VersionedRun> = Vec::new();
    for number in folders(target)?.into_iter().rev() {
        if runs.last().is_none_or(|later| number < later.since) {
            runs.push(VersionedRun::look(target, number)?);
        }
    }
    runs.reverse();
    Ok(runs)
}

/// The oldest run whose versions are kept. Without any it is the next one after `run`.
pub fn oldest_kept(target: &dyn Target, run: u64) -> Result<u64, Error> {
    Ok(folders(target)?.first().copied().unwrap_or(run + 1))
}
