//! What a server says about finished runs and about all jobs: the data, and the documents that are made from them.
//!
//! What REST answers are [`RunSummary`] and `octo_api::digest::Digest`; of these [`document`] and [`digest_document::document`] make the documents that `octo_report` renders. Nothing
//! here asks the clock or the store: the service gathers it.

pub mod digest;
pub mod digest_document;
pub mod metrics;

use crate::run::Ended;
use octo_api::summary::{RunSummary, SummaryCause, SummaryExample};
use octo_mirror::HeldPlan;
use octo_report::held::{Plan, PlanEntry};
use octo_report::{Document, History, KnownCause, KnownExample, MadeBy, PastRun, RunFacts, TimeZone};

/// The report of the run; times in `zone`.
pub fn document(summary: &RunSummary, zone: &TimeZone) -> Document {
    let was_interrupted = summary.run.outcome == Some(Ended::Interrupted);
    if let Some(restore) = &summary.run.restore {
        let (report, job, run, state) = (&summary.report, summary.run.job.as_str(), summary.run.id, restore.state);
        let facts = octo_report::restore::RestoreFacts { report, job, run, state, was_interrupted };
        return octo_report::restore::document(&facts, zone);
    }
    let made_by = MadeBy::Job { job: &summary.run.job, run: summary.run.id };
    let history = History {
        was_interrupted,
        causes: summary.causes.iter().map(known_cause).collect(),
        fixed: u64::try_from(summary.mended).unwrap_or(0),
        last_good: summary.last_good_at.map(Into::into),
        unusual: summary.unusual.clone(),
        past: summary.past.iter().copied().map(PastRun::from).collect(),
    };
    octo_report::run::document(&RunFacts { report: &summary.report, made_by, history: Some(&history) }, zone)
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
