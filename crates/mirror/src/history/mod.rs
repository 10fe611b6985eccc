//! The mirror as it was: each state that is kept is an ordinary [`Source`](octo_core::Source), which lists folders and fetches
//! files as any other. Restore, compare and show are uses of that port.
//!
//! It only reads, and must never change anything in the mirror: it works on a medium that cannot be written, and beside a run. A
//! state is numbered by the last run whose changes are in it. State n is the mirror without what the runs after n did: DESIGN
//! section 7, and `changes`, say how that is taken back.

pub(crate) mod decide;
mod diff;
mod find;
mod locate;
mod merged;
mod missing;
mod pattern;
mod pieces;
mod reading;
mod state;
pub(crate) mod states;
pub(crate) mod table;
mod tree;

pub use diff::Difference;
pub use find::Span;
pub use pattern::NamePattern;
pub use state::State;
pub use states::{KeptState, When};
pub use tree::Walked;

use crate::hashes::RecordedHashes;
use crate::layout;
use crate::marker::{Marker, RunOpen};
use crate::order::NameOrder;
use crate::versions::{VersionedRun, versioned_runs};
use octo_core::{Code, Error, Target};
use std::ops::RangeInclusive;
use std::sync::{Arc, PoisonError, RwLock};
use table::Table;

/// What is known of a mirror's past.
pub struct History<'t> {
    target: &'t dyn Target,
    marker: Marker,
    order: NameOrder,
    hashes: RecordedHashes,
    /// Oldest first.
    runs: RwLock<Vec<Run>>,
}

/// A run that has versions.
#[derive(Clone)]
struct Run {
    number: u64,
    /// The first run whose changes are taken back with it.
    since: u64,
    /// What was before it cannot be had: the mirror was empty, or the run kept nothing.
    is_first: bool,
    /// Whether there was a file of its records.
    has_records: bool,
    /// Its records, once they were needed.
    table: Option<Arc<Table>>,
}

impl From<VersionedRun> for Run {
    fn from(run: VersionedRun) -> Run {
        Run { number: run.run, since: run.since, is_first: run.is_first, has_records: run.has_records, table: None }
    }
}

impl<'t> History<'t> {
    /// Looks which runs have versions. Fails where no mirror is.
    pub fn open(target: &'t dyn Target) -> Result<History<'t>, Error> {
        let none =
            || Error::new(Code::Usage, "this folder is not a mirror of octoBackup: it has no .octobackup/marker.toml");
        let marker = Marker::read(target)?.ok_or_else(none)?;
        let order = NameOrder { folds_case: marker.abilities.names.folds_case };
        let hashes = RecordedHashes::open(target, order.folds_case)?;
        let runs = versioned_runs(target)?.into_iter().map(Run::from).collect();
        Ok(History { target, marker, order, hashes, runs: RwLock::new(runs) })
    }

    /// The mirror.
    pub fn mirror(&self) -> &'t dyn Target {
        self.target
    }

    /// The runs as they are now. A run that is under way records each change before it makes it: who looked at the mirror before
    /// asking knows of all changes that were seen.
    fn runs(&self) -> Result<Vec<Run>, Error> {
        let known = self.runs.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(open) = RunOpen::read(self.target)?.map(|open| open.run) else { return Ok(known) };
        let is_known = |run: &Run| {
            // Of a run nothing is known that left an open file of another program: 0.
            let is_read = run.table.as_ref().is_none_or(|table| !table.has_grown(self.target));
            open < run.number || (open == run.number && is_read)
        };
        if open == 0 || known.last().is_some_and(is_known) || self.target.look(&layout::changes(open))?.is_none() {
            return Ok(known);
        }
        let run = Run::from(VersionedRun::look(self.target, open)?);
        let mut runs = self.runs.write().unwrap_or_else(PoisonError::into_inner);
        runs.retain(|run| run.number != open);
        runs.push(run);
        Ok(runs.clone())
    }

    /// The records of the runs in this range, which are taken back, oldest run first.
    fn tables(&self, range: RangeInclusive<u64>) -> Result<Vec<Arc<Table>>, Error> {
        let (start, end) = range.into_inner();
        let runs = self.runs()?.into_iter().filter(|run| run.number >= start && run.since <= end);
        let runs: Vec<_> = runs.collect();
        // One that began meanwhile, and keeps nothing.
        if let Some(run) = runs.iter().find(|run| run.is_first) {
            let what = format!("run {} keeps no versions, so no state before it can be had any more", run.number);
            return Err(Error::new(Code::SourceMissing, what));
        }
        self.all_tables(runs)
    }

    fn all_tables(&self, runs: Vec<Run>) -> Result<Vec<Arc<Table>>, Error> {
        let mut tables = Vec::new();
        for run in runs {
            tables.push(match run.table {
                Some(table) => table,
                None => self.read(&run)?,
            });
        }
        Ok(tables)
    }

    /// Whether the state before `since` is still what is taken back with the records of `run`.
    fn still_takes_back(&self, run: u64, since: u64) -> Result<bool, Error> {
        if self.target.look(&layout::versions_of(run))?.is_none() {
            return Ok(false);
        }
        let now = VersionedRun::look(self.target, run)?;
        Ok(now.since == since && !now.is_first)
    }

    fn read(&self, run: &Run) -> Result<Arc<Table>, Error> {
        let table = Arc::new(Table::read(self.target, run.number, self.order)?);
        let is_there = || self.target.look(&layout::changes(run.number)).map(|there| there.is_some());
        // After the records: those of the oldest state that is kept may have gone while they were read.
        let is_first = VersionedRun::look(self.target, run.number)?.is_first;
        let is_other = table.since != run.since || is_first != run.is_first;
        if is_other || (run.has_records && table.is_empty() && !is_there()?) {
            let what = "states were removed from the mirror meanwhile: try again";
            return Err(Error::new(Code::SourceMissing, what));
        }
        let mut runs = self.runs.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = runs.iter_mut().find(|known| known.number == run.number) {
            known.table = Some(Arc::clone(&table));
        }
        Ok(table)
    }
}
