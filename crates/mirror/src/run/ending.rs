//! How a run ends, whatever happened: what was done becomes durable, old versions go if the run ended well, the report is
//! written, and only then the run is no longer open. On a full disk the ballast gives what this takes.

use super::Run;
use crate::ballast;
use crate::checkpoint::Checkpoints;
use crate::deletion::Verdict;
use crate::marker::RunOpen;
use crate::{files, hashes, layout, retention, settle, versions};
use octo_core::guard;
use octo_core::{Code, Error, Outcome, RunReport};

impl Run<'_> {
    /// Whatever happened: what was done becomes durable, old versions go if the run ended well, the marker says what
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
            ballast::with_help(self.context.target, || marker.write(self.context.target))?;
        }
        if ended && marker.braked_by.is_none() && verdict.because.is_empty() {
            let prune = || retention::prune(self.context, &self.ops, self.ready.moment(), retention::When::AtEnd);
            ballast::with_help(self.context.target, prune)?;
        }
        if ended {
            self.ops.hashes.close();
            let oldest = versions::oldest_kept(self.context.target, self.ready.run)?;
            self.ready.damaged_hashes += hashes::settle(self.context.target, &self.pool, oldest)?.damaged;
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
            // First: what is in staging says which files may not be whole until then.
            Checkpoints::new(self.context, &self.ops, &self.journal).make()?;
            self.ops.placed.close();
            files::remove_tree(target, &layout::staging(self.ready.run))?;
            let ended = !matches!(report.outcome, Outcome::Failed | Outcome::Cancelled);
            self.ops.suspects.end(target, ended && self.saw_all.get())?;
            // Only now: a report that says `succeeded` must not be there before what it speaks of is on the disk.
            settle::write_report(target, &report, &problems)?;
            RunOpen::remove(target)
        };
        if let Err(error) = ballast::with_help(target, finish) {
            report.outcome = report.outcome.worst(Outcome::Failed);
            report.remarks.push(format!("the run could not be ended properly: {error}"));
        }
        report
    }
}
