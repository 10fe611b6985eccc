//! The report of a run, from what the context counted.

use crate::context::Context;
use crate::deletion::Verdict;
use octo_core::report::REPORT_FORMAT;
use octo_core::{Outcome, RunReport, Timestamp};
use std::time::Duration;

/// What the run did.
pub(super) fn report(
    context: &Context<'_>,
    begun: (Timestamp, Duration),
    run: u64,
    verdict: &Verdict,
    remarks: Vec<String>,
) -> RunReport {
    let counts = context.counts();
    let outcome = match context.fatal() {
        _ if context.cancel.is_cancelled() && !context.gave_up() => Outcome::Cancelled,
        Some(_) => Outcome::Failed,
        None if !verdict.because.is_empty() => Outcome::Held,
        None if counts.problems > 0 => Outcome::Warnings,
        None => Outcome::Succeeded,
    };
    let elapsed = context.clock.monotonic().saturating_sub(begun.1);
    RunReport {
        format: REPORT_FORMAT,
        run,
        outcome,
        dry_run: context.options.dry_run,
        source: context.options.source_label.clone(),
        target: context.options.target_label.clone(),
        started: begun.0,
        duration_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        counts,
        held_because: verdict.because.iter().map(|hold| hold.words.clone()).collect(),
        held_kinds: verdict.because.iter().map(|hold| hold.kind).collect(),
        held_examples: verdict.examples.clone(),
        held_plan: verdict.plan.clone(),
        remarks,
        causes: context.causes(),
        free_bytes: context.target.space().ok().map(|space| space.free_bytes),
    }
}
