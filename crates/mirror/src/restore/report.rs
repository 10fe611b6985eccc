//! What is wanted of a restore, and what came of it.

use super::decide::Existing;
use octo_core::metadata::Part;
use octo_core::{Counts, Error, Event, Monitor, Problem, RelPath};

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub struct RestoreOptions {
    /// Files and folders of the state; all of it if there are none.
    pub paths: Vec<RelPath>,
    /// What becomes of files that are there already.
    pub existing: Existing,
    /// What is added to the names of files that are kept beside others, such as ` (state 12)`.
    pub beside: String,
    /// Look, and change nothing.
    pub dry_run: bool,
}

/// What was done, or would be.
#[derive(Debug, Clone, Default)]
pub struct RestoreReport {
    /// `created`, `replaced`, `unchanged`, `folders_created`, `links`, `copied_bytes` and `problems` are counted.
    pub counts: Counts,
    /// Of the files that were created, those that got a name beside another file of their name.
    pub beside: u64,
    /// Files that are there with other content, and were left as they are.
    pub left: u64,
    /// Of the files that are there with other content, those that were written later than the state's.
    pub newer: u64,
    /// The first problems.
    pub problems: Vec<Problem>,
    /// Somebody stopped it.
    pub cancelled: bool,
}

/// Problems that a report names.
pub const PROBLEMS_NAMED: usize = 20;

impl RestoreReport {
    /// One more problem.
    pub fn problem(&mut self, monitor: &dyn Monitor, path: &RelPath, error: &Error) {
        self.counts.problems += 1;
        let problem = Problem { code: error.code, path: path.clone(), detail: error.detail.clone() };
        monitor.event(&Event::Problem(&problem));
        if self.problems.len() < PROBLEMS_NAMED {
            self.problems.push(problem);
        }
    }

    /// Parts of the metadata of one entry are lost.
    pub fn lost(&mut self, monitor: &dyn Monitor, path: &RelPath, lost: &[(Part, Error)]) {
        self.counts.metadata_lost += 1;
        for (part, error) in lost {
            let detail = format!("{} could not be restored: {}", part.words(), error.detail);
            self.problem(monitor, path, &Error::new(error.code, detail));
        }
    }
}
