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
mod pieces;
mod state;
mod states;
mod table;

pub use diff::Difference;
pub use find::Span;
pub use state::State;
pub use states::{KeptState, When};

use crate::marker::{Marker, RunOpen};
use crate::order::NameOrder;
use crate::settle::versioned_runs;
use octo_core::{Code, Error, Target};
use std::sync::{Arc, PoisonError, RwLock};
use table::Table;

/// What is known of a mirror's past.
pub struct History<'t> {
    target: &'t dyn Target,
    marker: Marker,
    order: NameOrder,
    /// By run, oldest first.
    tables: RwLock<Vec<Arc<Table>>>,
}

impl<'t> History<'t> {
    /// Reads the records of all runs that have versions. Fails where no mirror is.
    pub fn open(target: &'t dyn Target) -> Result<History<'t>, Error> {
        let none =
            || Error::new(Code::Usage, "this folder is no mirror of octoBackup: it has no .octobackup/marker.toml");
        let marker = Marker::read(target)?.ok_or_else(none)?;
        let order = NameOrder { folds_case: marker.abilities.names.folds_case };
        let runs = versioned_runs(target)?;
        let tables: Result<Vec<_>, _> =
            runs.iter().map(|it| Table::read(target, it.run, order).map(Arc::new)).collect();
        Ok(History { target, marker, order, tables: RwLock::new(tables?) })
    }

    /// The records as they are now, oldest run first. A run that is under way records each change before it makes it: who looked
    /// at the mirror before asking knows of all changes that were seen.
    fn tables(&self) -> Result<Vec<Arc<Table>>, Error> {
        let known = self.tables.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(run) = RunOpen::read(self.target)?.map(|open| open.run) else { return Ok(known) };
        let newest = known.last().map_or(0, |table| table.run);
        // Of a run nothing is known that left an open file of another program.
        if run < newest
            || run == 0
            || !known.last().is_none_or(|table| table.run != run || table.has_grown(self.target))
        {
            return Ok(known);
        }
        let table = Arc::new(Table::read(self.target, run, self.order)?);
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        tables.retain(|table| table.run != run);
        tables.push(table);
        Ok(tables.clone())
    }
}
