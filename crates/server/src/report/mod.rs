//! What a server says about finished runs and about all jobs: the data, and the documents that are made from them.
//!
//! [`RunSummary`] and [`digest::Digest`] are what REST answers. Their documents are built and rendered by `octo_report`. Nothing
//! here asks the clock or the store: the service gathers it.

pub mod digest;
mod digest_document;
pub mod metrics;

use crate::moment::Moment;
use crate::run::{Ended, Run};
use octo_core::{Code, RunReport};
use octo_mirror::HeldPlan;
use octo_report::held::{Plan, PlanEntry};
use octo_report::{Document, History, KnownCause, KnownExample, MadeBy, PastRun, RunFacts, TimeZone};
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

impl RunSummary {
    /// The report of the run; times in `zone`.
    pub fn document(&self, zone: &TimeZone) -> Document {
        let made_by = MadeBy::Job { job: &self.run.job, run: self.run.id };
        let history = History {
            was_interrupted: self.run.outcome == Some(Ended::Interrupted),
            causes: self.causes.iter().map(known_cause).collect(),
            fixed: u64::try_from(self.mended).unwrap_or(0),
            last_good: self.last_good_at.map(Into::into),
            unusual: self.unusual.clone(),
            past: self.past.iter().copied().map(PastRun::from).collect(),
        };
        octo_report::run::document(&RunFacts { report: &self.report, made_by, history: Some(&history) }, zone)
    }
}

fn known_cause(cause: &SummaryCause) -> KnownCause {
    let SummaryCause { code, new, still, .. } = *cause;
    let example = |example: &SummaryExample| KnownExample {
        path: example.path.clone(),
        detail: example.detail.clone(),
        is_new: example.is_new,
        since: example.since_at.map(Into::into),
        last_good: example.last_good_at.map(Into::into),
    };
    KnownCause { code, new, still, examples: cause.examples.iter().map(example).collect() }
}

/// A plan of held deletions in a mirror without a job; times in `zone`.
pub fn held_document(plan: &HeldPlan, target: &str, zone: &TimeZone) -> Document {
    let entries = plan.entries.iter().map(|entry| PlanEntry {
        path: &entry.path,
        kind: entry.kind,
        size_bytes: entry.size_bytes,
        write_time: entry.write_time,
    });
    let shown = Plan {
        id: &plan.id,
        state: plan.run,
        target,
        because: &plan.because,
        kinds: &plan.kinds,
        files: plan.files,
        bytes: plan.bytes,
        more: plan.more,
    };
    octo_report::held::document(&shown, entries, zone)
}
