//! How a run ends, whatever happened: what was done becomes durable, old versions go if the run ended well, the report is
//! written, and only then the run is no longer open. On a full disk the ballast gives what this takes.

use super::Run;
use crate::ballast;
use crate::checkpoint::Checkpoints;
use crate::context::Context;
use crate::deletion::Verdict;
use crate::marker::RunOpen;
use crate::{files, layout, settle};
use octo_core::guard;
use octo_core::report::REPORT_FORMAT;
use octo_core::{Code, Error, Outcome, RunReport, Timestamp};
use std::time::Duration;

impl Run<'_> {
    /// Whatever happened: what was done becomes durable, old versions go if the run ended well, the marker tells what
    /// the next run has to know.
    pub(super) fn close(&mut self, verdict: &Verdict) -> Result<(), Error> {
        if self.context.options.dry_run {
            return Ok(());
        }
        let ended = !self.context.is_over();
        let counts = self.context.counts();
        let marker = &mut self.ready.marker;
        let before = marker.clone();
        let many = guard::replaces_too_many(counts.replaced, counts.mirror_files)
            || self.context.count_of(Code::ReplacementsHeld).is_some();
        if many && !self.context.options.release_brake {
            marker.braked_by.get_or_insert(self.ready.run);
        }
        if ended && self.proven.get() {
            marker.unproven = false;
        }
        if *marker != before {
            ballast::help(self.context.target, || marker.write(self.context.target))?;
        }
        if ended && marker.braked_by.is_none() && verdict.because.is_empty() {
            let prune = || settle::prune(self.context, &self.placer, self.ready.moment());
            ballast::help(self.context.target, prune)?;
        }
        Ok(())
    }

    /// Writes the report and ends the run on the disk.
    pub(super) fn end(&self, mut report: RunReport) -> RunReport {
        if self.context.options.dry_run {
            return report;
        }
        let target = self.context.target;
        let problems = self.context.take_problems();
        let finish = || {
            let checkpoints = Checkpoints::new(self.context, &self.placer, &self.journal, self.ready.suspect_since);
            files::remove_tree(target, &layout::staging(self.ready.run))?;
            checkpoints.make()?;
            // Only now: a report that says `succeeded` must not be there before what it speaks of is on the disk.
            settle::write_report(target, &report, &problems)?;
            // Suspect files that this run did not get to stay suspect.
            let unfinished = matches!(report.outcome, Outcome::Failed | Outcome::Cancelled);
            if unfinished && self.ready.suspect_since.is_some() { Ok(()) } else { RunOpen::remove(target) }
        };
        if let Err(error) = ballast::help(target, finish) {
            report.outcome = report.outcome.worst(Outcome::Failed);
            report.remarks.push(format!("the run could not be ended properly: {error}"));
        }
        report
    }
}

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
