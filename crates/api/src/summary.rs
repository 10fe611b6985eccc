//! A finished run with what is new in it, compared with the runs before: `/runs/{id}/summary`.

use crate::moment::Moment;
use crate::run::Run;
use octo_core::{Code, RunReport};
use octo_report::PastRun;
use serde::{Deserialize, Serialize};

/// A finished run, grouped by cause, compared with the runs before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The run.
    pub run: Run,
    /// What the engine counted.
    pub report: RunReport,
    /// Problems of entries, grouped; the causes with new ones first.
    pub causes: Vec<SummaryCause>,
    /// Problems of the run before that are gone.
    pub mended: i64,
    /// When the job last ran to its end before this run.
    pub last_good_at: Option<Moment>,
    /// What differs from the usual, in words.
    pub unusual: Vec<String>,
    /// Earlier runs to their end, the oldest first: for the plots.
    pub past: Vec<Past>,
}

/// All problems of one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryCause {
    /// The cause.
    pub code: Code,
    /// In plain words.
    pub title: String,
    /// What to do.
    pub advice: String,
    /// How many in all, as the engine counted.
    pub count: u64,
    /// Of those kept one by one: new in this run.
    pub new: u64,
    /// Of those kept one by one: there before.
    pub still: u64,
    /// The new ones first.
    pub examples: Vec<SummaryExample>,
}

/// One entry that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryExample {
    /// The entry, in the reversible text form of paths.
    pub path: String,
    /// What happened.
    pub detail: String,
    /// Not met by the run before.
    pub is_new: bool,
    /// Since when it fails.
    pub since_at: Option<Moment>,
    /// When the job last ran to its end without this problem.
    pub last_good_at: Option<Moment>,
}

/// A run to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// When it began.
    pub started_at: Moment,
    /// How long it took.
    pub duration_ms: u64,
    /// Bytes read from the source.
    pub copied_bytes: u64,
}

impl From<Past> for PastRun {
    fn from(past: Past) -> PastRun {
        let Past { started_at, duration_ms, copied_bytes } = past;
        PastRun { started: started_at.into(), duration_ms, copied_bytes }
    }
}
