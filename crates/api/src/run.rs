//! Runs, from the queue to the outcome, and how far they are: `/runs`.

use crate::moment::Moment;
use crate::restore::Restore;
use crate::run_overrides::RunOverrides;
use crate::words::words;
use octo_core::{Change, Counts, Outcome, Phase, Problem, RelPath};
use serde::{Deserialize, Serialize};

words! {
    /// Where a run stands.
    State {
        /// It waits.
        Queued = "queued",
        /// Somebody works on it.
        Running = "running",
        /// It has an outcome.
        Finished = "finished",
    }
}

words! {
    /// What a run does.
    #[derive(Default)]
    RunKind {
        /// It makes the mirror equal to its source.
        #[default]
        Backup = "backup",
        /// It brings a state, or parts of it, into a folder. It is never a backup.
        Restore = "restore",
    } or newer
}

words! {
    /// Why there is a run.
    Reason {
        /// A slot.
        Schedule = "schedule",
        /// A person.
        Manual = "manual",
        /// The run before failed for a cause that may pass.
        Retry = "retry",
        /// The run before was interrupted.
        Recovery = "recovery",
    } or newer
}

words! {
    /// How a run ended.
    Ended {
        /// A complete mirror.
        Succeeded = "succeeded",
        /// Complete except for named entries.
        Warnings = "warnings",
        /// Copies are done, deletions wait for approval.
        Held = "held",
        /// Not complete.
        Failed = "failed",
        /// Stopped by a person.
        Cancelled = "cancelled",
        /// The server was stopped or died.
        Interrupted = "interrupted",
    }
}

impl Ended {
    /// Whether the run looked everywhere: it was neither stopped nor did it fail.
    #[must_use]
    pub fn is_complete(self) -> bool {
        matches!(self, Ended::Succeeded | Ended::Warnings | Ended::Held)
    }

    /// What it would have been, had no deletions been held.
    #[must_use]
    pub fn without_held(self, has_problems: bool) -> Ended {
        match self {
            Ended::Held if has_problems => Ended::Warnings,
            Ended::Held => Ended::Succeeded,
            other => other,
        }
    }
}

impl From<Outcome> for Ended {
    fn from(outcome: Outcome) -> Ended {
        match outcome {
            Outcome::Succeeded => Ended::Succeeded,
            Outcome::Warnings => Ended::Warnings,
            Outcome::Held => Ended::Held,
            Outcome::Failed => Ended::Failed,
            Outcome::Cancelled => Ended::Cancelled,
        }
    }
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Counts up over all jobs.
    pub id: i64,
    /// The job's id.
    pub job_id: i64,
    /// The job's name.
    pub job: String,
    /// What it does.
    pub kind: RunKind,
    /// Of a restore: what, and where to.
    #[serde(default)]
    pub restore: Option<Restore>,
    /// Why there is a run.
    pub reason: Reason,
    /// Counts the tries, from 0.
    pub attempt: u32,
    /// What is for this run only.
    pub once: RunOverrides,
    /// Who asked for it.
    pub asked_by: String,
    /// Where it stands.
    pub state: State,
    /// How it ended, once it has.
    pub outcome: Option<Ended>,
    /// It starts even in a blackout.
    pub ignores_blackouts: bool,
    /// When it was queued.
    pub queued_at: Moment,
    /// It does not start before.
    pub not_before: Moment,
    /// When it began.
    pub started_at: Option<Moment>,
    /// When it ended.
    pub finished_at: Option<Moment>,
    /// How long it took.
    pub duration_ms: i64,
    /// New and changed files copied.
    pub copied_files: i64,
    /// Bytes read from the source.
    pub copied_bytes: i64,
    /// Files deleted.
    pub deleted_files: i64,
    /// Problems of all kinds.
    pub problems: i64,
}

/// How far a run is: the last progress it reported.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// What was done so far.
    pub counts: Counts,
    /// Files that are to be copied, as far as they are known.
    pub planned_files: u64,
    /// Their bytes.
    pub planned_bytes: u64,
    /// The plan is whole: nothing more is to be listed.
    pub listed_all: bool,
    /// A file that is being copied.
    pub current: Option<RelPath>,
}

/// Something that happened in a run: one object of its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum RunEvent {
    /// A part of the run began.
    Phase {
        /// Which.
        phase: Phase,
    },
    /// An entry was changed, or would be.
    Change(Change),
    /// Something went wrong with one entry.
    Problem(Problem),
    /// How far it is.
    Progress(Progress),
    /// The client was too slow for this many events.
    Missed {
        /// How many.
        count: u64,
    },
    /// The run has ended; nothing follows.
    End {
        /// The run.
        run: i64,
    },
    /// What only a newer server knows.
    #[serde(other)]
    Other,
}

/// A run, and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    /// The run.
    #[serde(flatten)]
    pub run: Run,
    /// The last progress it reported, while it runs.
    #[serde(default)]
    pub progress: Option<RunEvent>,
}

/// A problem of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryProblem {
    /// The stable code of its cause.
    pub code: String,
    /// The entry, in the reversible text form of paths.
    pub path: String,
    /// What happened.
    pub detail: String,
}

impl Run {
    /// Whether it was to make a backup: a dry run was not. In SQL: `run.is_backup`.
    pub fn is_backup(&self) -> bool {
        self.kind == RunKind::Backup && !self.once.dry_run
    }

    /// Whether it made a backup, as complete as the source let it. In SQL: `run.is_good`.
    pub fn is_good(&self) -> bool {
        self.is_backup() && self.outcome.is_some_and(Ended::is_complete)
    }
}
