//! What a run tells while it runs. Non-fatal errors are a channel of their own: they never stop a run and never hide.

use crate::entry::Kind;
use crate::path::RelPath;
use crate::report::{Counts, Problem};
use serde::{Deserialize, Serialize};

/// The parts of a run (DESIGN section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Target, source, lock, recovery.
    Check,
    /// Listing, comparing and copying.
    Copy,
    /// Moves, remaining copies, locked files again.
    Finish,
    /// Guard and deletions.
    Delete,
    /// Folder times, checkpoint, index, versions, report.
    Settle,
}

impl Phase {
    /// What is done in it, for people: in a log, and while it is watched.
    pub fn words(self) -> &'static str {
        match self {
            Phase::Check => "checking source and target",
            Phase::Copy => "copying",
            Phase::Finish => "finishing copies",
            Phase::Delete => "looking for deleted files",
            Phase::Settle => "writing everything to the disk",
        }
    }
}

/// Something done to one entry of the mirror, or that a dry run would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "change")]
pub enum Change {
    /// A file, folder or link that was not there.
    Created {
        /// Where, in the mirror.
        path: RelPath,
        /// What.
        kind: Kind,
        /// Its size.
        size_bytes: u64,
    },
    /// New content; the old is kept as a version.
    Replaced {
        /// Where, in the mirror.
        path: RelPath,
        /// Its new size.
        size_bytes: u64,
    },
    /// Renamed on the source, renamed in the mirror.
    Moved {
        /// Where it was.
        from: RelPath,
        /// Where it is.
        to: RelPath,
    },
    /// Only its time was set.
    Restamped {
        /// Where, in the mirror.
        path: RelPath,
    },
    /// Gone from the mirror; kept as a version.
    Deleted {
        /// Where it was.
        path: RelPath,
        /// What.
        kind: Kind,
        /// Its size.
        size_bytes: u64,
    },
    /// A deletion that waits for approval.
    Held {
        /// Where it is.
        path: RelPath,
        /// What.
        kind: Kind,
        /// Its size.
        size_bytes: u64,
    },
}

/// One thing that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A part of the run began.
    Phase(Phase),
    /// An entry was changed, or would be.
    Change(&'a Change),
    /// Something went wrong with one entry.
    Problem(&'a Problem),
    /// Counters, from time to time; `listed_all` once the totals in them are final.
    Progress {
        /// All counters so far.
        counts: &'a Counts,
        /// Files to copy that are known so far.
        planned_files: u64,
        /// Bytes to copy that are known so far.
        planned_bytes: u64,
        /// Whether all of both sides has been listed.
        listed_all: bool,
        /// What is being copied.
        current: Option<&'a RelPath>,
    },
}

/// Listens to a run. Called from several threads; must return quickly.
pub trait Monitor: Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// Listens to nothing.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Monitor for Silent {
    fn event(&self, _: &Event<'_>) {}
}
