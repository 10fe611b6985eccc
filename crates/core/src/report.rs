//! What a run did, as data: the same report becomes text, JSON, an exit code and, later, mail and metrics.

use crate::error::Code;
use crate::guard::HoldKind;
use crate::path::RelPath;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// A complete mirror.
    Succeeded,
    /// Complete except for named entries.
    Warnings,
    /// Copies are done, deletions wait for approval.
    Held,
    /// Not complete; the first problem with a code that stops runs says why.
    Failed,
    /// Stopped by a person.
    Cancelled,
}

impl Outcome {
    /// The outcome where several apply: cancelled, failed, held, warnings, succeeded, in that order.
    pub fn worst(self, other: Outcome) -> Outcome {
        self.max(other)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Succeeded => "succeeded",
            Outcome::Warnings => "warnings",
            Outcome::Held => "held",
            Outcome::Failed => "failed",
            Outcome::Cancelled => "cancelled",
        })
    }
}

/// Something that went wrong with one entry, or with the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The cause.
    pub code: Code,
    /// The entry; the root for the run as a whole.
    pub path: RelPath,
    /// What happened, in words.
    pub detail: String,
}

/// What a run counted. Files unless the name says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Included files on the source.
    pub source_files: u64,
    /// Included folders on the source, without the root.
    pub source_folders: u64,
    /// Bytes of the included files on the source.
    pub source_bytes: u64,
    /// Files in the mirror when the run began.
    pub mirror_files: u64,
    /// Equal time and size: not read.
    pub unchanged: u64,
    /// New files copied.
    pub created: u64,
    /// New folders made.
    pub folders_created: u64,
    /// Links made or recorded.
    pub links: u64,
    /// Changed files copied.
    pub replaced: u64,
    /// Renamed instead of copied.
    pub moved: u64,
    /// Only their time was set.
    pub restamped: u64,
    /// Only their metadata was newer (files and folders).
    pub metadata_refreshed: u64,
    /// Files and folders whose metadata was read and kept, new ones included.
    pub metadata_kept: u64,
    /// Of these, those where something did not fit into the filesystem and is in `meta/`.
    pub metadata_recorded: u64,
    /// Of these, those where something could not be read or kept.
    pub metadata_lost: u64,
    /// Not read because offline or in the cloud.
    pub not_local: u64,
    /// Files deleted.
    pub deleted: u64,
    /// Folders deleted.
    pub folders_deleted: u64,
    /// Files whose deletion is held.
    pub held: u64,
    /// Bytes of data read from the source.
    pub copied_bytes: u64,
    /// Bytes of files deleted.
    pub deleted_bytes: u64,
    /// Problems of all kinds.
    pub problems: u64,
    /// Entries stored under an escaped name.
    pub escaped: u64,
    /// Of the changed files, those whose time differs by whole hours at equal size.
    pub shifted: u64,
}

impl Counts {
    /// Entries of the mirror that were changed in any way. Folders whose time alone was set are not counted.
    pub fn changes(&self) -> u64 {
        let made = self.created + self.folders_created + self.links + self.replaced;
        made + self.moved + self.restamped + self.metadata_refreshed + self.deleted + self.folders_deleted
    }
}

/// Everything about one run. Its problems are listed beside it, one by one, because they may be many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    /// Format of this report.
    pub format: u32,
    /// The number of the mirror's state that this run made, as in `versions/`; 0 if it made none. A server counts its runs by
    /// itself: only its number is called a run's.
    #[serde(rename = "state", alias = "run")]
    pub run: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether nothing was to be changed.
    pub dry_run: bool,
    /// The source as the user named it, without secrets.
    pub source: String,
    /// The mirror.
    pub target: String,
    /// Begin, by the wall clock.
    pub started: Timestamp,
    /// Duration by the monotonic clock.
    pub duration_ms: u64,
    /// What was counted.
    pub counts: Counts,
    /// Why deletions are held, in words; empty if none are.
    pub held_because: Vec<String>,
    /// What each of these reasons is, in the same order; reports of older programs have none.
    #[serde(default)]
    pub held_kinds: Vec<HoldKind>,
    /// The first entries that are held.
    #[serde(default)]
    pub held_examples: Vec<RelPath>,
    /// The id of the held plan.
    pub held_plan: Option<String>,
    /// Things worth knowing that concern no single entry.
    pub remarks: Vec<String>,
    /// How many problems there are of each cause.
    pub causes: Vec<Cause>,
    /// Free space on the target at the end, where it is known.
    pub free_bytes: Option<u64>,
}

/// All problems of one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The cause.
    pub code: Code,
    /// How many.
    pub count: u64,
    /// The first few.
    pub examples: Vec<Problem>,
}

/// The format that this version writes.
pub const REPORT_FORMAT: u32 = 1;
