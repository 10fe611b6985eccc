//! The mirror as it was: each state that is kept is an ordinary [`Source`](octo_core::Source), which lists folders and fetches
//! files as any other. Restore, compare and show are uses of that port.
//!
//! It only reads, and must never change anything in the mirror: it works on a medium that cannot be written, and beside a run. A
//! state is numbered by the last run whose changes are in it. State n is the mirror without what the runs after n did: DESIGN
//! section 7, and `changes`, say how that is taken back.

mod decide;
mod diff;
mod find;
mod locate;
mod merged;
mod missing;
mod pattern;
mod pieces;
mod reading;
mod state;
mod states;
mod table;
mod tree;

pub use diff::Difference;
pub use find::Span;
pub use pattern::NamePattern;
pub use state::State;
pub use states::{KeptState, When};
pub use tree::Walked;

use crate::changes::{self, Record};
use crate::hashes::RecordedHashes;
use crate::layout;
use crate::marker::{Marker, RunOpen};
use crate::order::NameOrder;
use crate::settle::versioned_runs;
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
    /// What was before it cannot be had: the mirror was empty, or the run kept nothing.
    is_first: bool,
    /// Its records, once they were needed.
    table: Option<Arc<Table>>,
}

impl Run {
    fn look(target: &dyn Target, number: u64) -> Result<Run, Error> {
        let first = changes::first(target, number)?;
        let is_first = matches!(first, Some(Record::Began | Record::NotKept));
        Ok(Run { number, is_first, table: None })
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
        let runs: Result<Vec<_>, _> = versioned_runs(target)?.iter().map(|it| Run::look(target, it.run)).collect();
        Ok(History { target, marker, order, hashes, runs: RwLock::new(runs?) })
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
        let run = Run::look(self.target, open)?;
        let mut runs = self.runs.write().unwrap_or_else(PoisonError::into_inner);
        runs.retain(|run| run.number != open);
        runs.push(run);
        Ok(runs.clone())
    }

    /// The records of the runs in this range, which are taken back, oldest run first.
    fn tables(&self, range: RangeInclusive<u64>) -> Result<Vec<Arc<Table>>, Error> {
        let runs: Vec<_> = self.runs()?.into_iter().filter(|run| range.contains(&run.number)).collect();
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
                None => self.read(run.number)?,
            });
        }
        Ok(tables)
    }

    fn read(&self, run: u64) -> Result<Arc<Table>, Error> {
        let table = Arc::new(Table::read(self.target, run, self.order)?);
        let mut runs = self.runs.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = runs.iter_mut().find(|known| known.number == run) {
            known.table = Some(Arc::clone(&table));
        }
        Ok(table)
    }
}
