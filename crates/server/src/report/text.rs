//! The report for people: short, plain words, what happened, what it means, what to do.
//!
//! Everything that came from the network is printed in its escaped form ([`octo_core::RelPath`]'s `Display`,
//! [`plain`]): a hostile name cannot steer a terminal.

use crate::moment::Moment;
use crate::schedule::TimeZone;
use octo_core::advice::{Place, advice};
use octo_core::guard::{HoldKind, Way, with_kinds};
use octo_core::numbers::{count, duration, size, speed, thousands};
use octo_core::path::bytes_to_text;
use octo_core::report::{Cause, Counts};
use octo_core::{Code, Outcome, RelPath, RunReport};
use octo_mirror::HeldPlan;
use std::fmt::Write;

/// Examples shown for each cause; the JSON report has all.
const EXAMPLES_MAX: usize = 5;

/// Who made a run: only commands of that side are recommended. Another one could run as another user, on the same mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeBy<'a> {
    /// `octobackup sync`.
    Sync {
        /// Whether what was replaced is still there.
        keeps_versions: bool,
    },
    /// A job of the server. How held deletions are approved is said with its [`news`](super::news).
    Job {
        /// The job's name.
        job: &'a str,
        /// The server's number of the run.
        run: i64,
    },
}

/// The report of a run; times are by the clocks of `zone`.
pub fn report(report: &RunReport, by: MadeBy<'_>, zone: &TimeZone) -> String {
    let mut out = String::new();
    head(&mut out, report, by, zone);
    let numbers = numbers(report);
    if !numbers.is_empty() {
        let _ = write!(out, "\n{numbers}");
    }
    let keeps_versions = by != MadeBy::Sync { keeps_versions: false };
    if keeps_versions && !report.dry_run && report.counts.replaced + report.counts.deleted > 0 {
        let _ = writeln!(
            out,
            "  Versions    what was replaced or deleted is in {}/.octobackup/versions/{}/tree",
            plain(&report.target),
            report.run
        );
    }
    held_because(&mut out, report, by);
    // What ended the run comes first, notes come last.
    let rank = |cause: &&Cause| (!cause.code.stops_run(), cause.code.is_note());
    let mut causes: Vec<&Cause> = report.causes.iter().collect();
    causes.sort_by_key(rank);
    causes.into_iter().for_each(|cause| problems(&mut out, cause, report, by));
    if !report.remarks.is_empty() {
        out.push_str("\nRemarks\n");
        report.remarks.iter().for_each(|text| bullet(&mut out, &remark(text, &report.target, by)));
    }
    out
}

fn head(out: &mut String, report: &RunReport, by: MadeBy<'_>, zone: &TimeZone) {
    let verdict = match (report.outcome, report.dry_run) {
        (Outcome::Succeeded, false) => "complete",
        (Outcome::Warnings, false) => "complete, except for the entries named below",
        (Outcome::Held, false) => "everything is copied; deletions wait for approval",
        (Outcome::Failed, false) => "FAILED: the mirror is not up to date",
        (Outcome::Cancelled, false) => "cancelled; the next run continues where this one stopped",
        (Outcome::Succeeded, true) => "dry run, nothing was changed",
        (Outcome::Warnings, true) => "dry run, nothing was changed; there would be problems",
        (Outcome::Held, true) => "dry run, nothing was changed; deletions would wait for approval",
        (Outcome::Failed, true) => "dry run FAILED",
        (Outcome::Cancelled, true) => "dry run cancelled",
    };
    let _ = writeln!(out, "octoBackup: {verdict}");
    let _ = writeln!(out, "  {} -> {}", plain(&report.source), plain(&report.target));
    // People see one number: the server's. Without a server it is that of the mirror's state.
    let number = match (by, report.run) {
        (MadeBy::Job { run, .. }, _) => format!("run {run}, "),
        (MadeBy::Sync { .. }, 0) => String::new(),
        (MadeBy::Sync { .. }, state) => format!("state {state}, "),
    };
    let started = Moment::from(report.started).local_secs(zone);
    let _ = writeln!(out, "  {number}{started}, took {}", duration(report.duration_ms));
}

fn numbers(report: &RunReport) -> String {
    let mut text = String::new();
    let out = &mut text;
    let counts = &report.counts;
    let (copied, deleted) = if report.dry_run { ("To copy", "To delete") } else { ("Copied", "Deleted") };
    if counts.source_files + counts.source_folders > 0 {
        let what = files_and_folders(counts.source_files, counts.source_folders);
        line(out, "Source", &format!("{what}, {}", size(counts.source_bytes)));
    }
    if counts.created + counts.replaced > 0 {
        let mut text = format!("{} new, {} changed", thousands(counts.created), thousands(counts.replaced));
        if counts.copied_bytes > 0 {
            let pace = speed(counts.copied_bytes, report.duration_ms).map(|pace| format!(" at {pace}"));
            let _ = write!(text, "; {} read{}", size(counts.copied_bytes), pace.unwrap_or_default());
        }
        line(out, copied, &text);
    }
    let optional = [
        ("Unchanged", counts.unchanged, "file"),
        ("New folders", counts.folders_created, "folder"),
        ("Links", counts.links, "link"),
        ("Renamed", counts.moved, "file"),
        ("Time only", counts.restamped, "file"),
        ("Not local", counts.not_local, "file"),
    ];
    for (title, number, what) in optional.into_iter().filter(|(_, number, _)| *number > 0) {
        line(out, title, &count(number, what));
    }
    if counts.metadata_kept + counts.metadata_refreshed > 0 {
        line(out, "Metadata", &metadata(counts));
    }
    if counts.deleted + counts.folders_deleted > 0 {
        let what = files_and_folders(counts.deleted, counts.folders_deleted);
        line(out, deleted, &format!("{what}, {}", size(counts.deleted_bytes)));
    }
    if counts.held > 0 {
        line(out, "Held", &format!("{} not deleted", count(counts.held, "file")));
    }
    if let Some(free) = report.free_bytes {
        line(out, "Free", &format!("{} on the target", size(free)));
    }
    text
}

/// Files and folders alike.
fn metadata(counts: &Counts) -> String {
    let parts = [
        (counts.metadata_kept, "kept"),
        (counts.metadata_refreshed, "newer than the data"),
        (counts.metadata_recorded, "partly in .octobackup/meta"),
        (counts.metadata_lost, "not complete"),
    ];
    let parts: Vec<_> =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", thousands(*n))).collect();
    parts.join(", ")
}

fn files_and_folders(files: u64, folders: u64) -> String {
    let both = [(files, "file"), (folders, "folder")];
    let both: Vec<_> = both.iter().filter(|(number, _)| *number > 0).map(|(number, one)| count(*number, one)).collect();
    both.join(" and ")
}

fn line(out: &mut String, title: &str, text: &str) {
    let _ = writeln!(out, "  {title:<11} {text}");
}

fn bullet(out: &mut String, text: &str) {
    let _ = writeln!(out, "  - {}", plain(text));
}

fn held_because(out: &mut String, report: &RunReport, by: MadeBy<'_>) {
    if report.held_because.is_empty() {
        return;
    }
    out.push_str("\nDeletions are held: nothing was deleted, because\n");
    for (reason, kind) in with_kinds(&report.held_because, &report.held_kinds) {
        reason_and_remedy(out, reason, kind, &report.target, by);
    }
    for path in &report.held_examples {
        let _ = writeln!(out, "    {path}");
    }
    let shown = report.held_examples.len() as u64;
    if shown > 0 && report.counts.held > shown {
        let _ = writeln!(out, "    ... and {} more", thousands(report.counts.held - shown));
    }
    if let (Some(id), MadeBy::Sync { .. }) = (&report.held_plan, by) {
        approval(out, &report.target, id);
    }
}

fn reason_and_remedy(out: &mut String, reason: &str, kind: HoldKind, target: &str, by: MadeBy<'_>) {
    bullet(out, reason);
    let _ = writeln!(out, "    What to do: {}", remedy(kind, target, by));
}

/// What to do about deletions that are held for this kind of reason, with the command if it is another one than to approve
/// them: that one is said once, for all reasons.
pub(crate) fn remedy(kind: HoldKind, target: &str, by: MadeBy<'_>) -> String {
    match way(kind.way(), target, by) {
        Some(command) => format!("{}: {command}", kind.remedy()),
        None => format!("{}.", kind.remedy()),
    }
}

/// The command of the place where the report is read.
fn way(way: Way, target: &str, by: MadeBy<'_>) -> Option<String> {
    match (way, by) {
        (Way::Approve, _) => None,
        (Way::ReleaseBrake, MadeBy::Sync { .. }) => Some(format!("octobackup held {} --release-brake", quoted(target))),
        (Way::ReleaseBrake, MadeBy::Job { job, .. }) => Some(format!("octobackup run {job} --release-brake")),
        (Way::TrustListings, MadeBy::Sync { .. }) => Some("octobackup sync ... --trust-listings".to_owned()),
        (Way::TrustListings, MadeBy::Job { job, .. }) => {
            Some(format!("octobackup job edit {job} --set trust_listings=true"))
        }
    }
}

/// A remark, in which the engine names options: said with the command of the place that has them.
pub(crate) fn remark(text: &str, target: &str, by: MadeBy<'_>) -> String {
    let release = way(Way::ReleaseBrake, target, by).unwrap_or_default();
    let restamp = match by {
        MadeBy::Sync { .. } => "octobackup sync ... --restamp-shift".to_owned(),
        MadeBy::Job { job, .. } => format!("octobackup run {job} --restamp-shift"),
    };
    let text = text.replace(": --release-brake", &format!(": {release}"));
    text.replace(": --restamp-shift", &format!(": {restamp}"))
}

fn approval(out: &mut String, target: &str, id: &str) {
    let target = quoted(target);
    let _ = writeln!(out, "  To see them:     octobackup held {target}");
    let _ = writeln!(out, "  To delete them:  octobackup held {target} --approve {id}");
}

/// The command that acknowledges what lasts, for the first entry of a cause.
pub(crate) fn acknowledge(code: Code, first: &RelPath, by: MadeBy<'_>) -> Option<String> {
    let path = quoted(&bytes_to_text(first.as_bytes()));
    let command = match by {
        MadeBy::Sync { .. } => format!("octobackup sync ... --acknowledge {path}"),
        MadeBy::Job { job, .. } => format!("octobackup job edit {job} --acknowledge {path}"),
    };
    (code.may_be_acknowledged() && !first.is_root()).then_some(command)
}

/// A cause in one line, and how often it was met.
pub(crate) fn heading(code: Code, times: u64) -> String {
    let title = code.title();
    match (code.stops_run(), code.is_note()) {
        (true, _) => format!("Why it ended: {title}"),
        (false, true) => format!("{}: {title}", count(times, "note")),
        (false, false) => format!("{}: {title}", count(times, "problem")),
    }
}

/// What to do about a cause, as the source is, in the words of the side that made the run.
fn advice_for(report: &RunReport, code: Code, by: MadeBy<'_>) -> String {
    let place = match by {
        MadeBy::Job { job, .. } => Place::Job(job),
        MadeBy::Sync { .. } => Place::Sync,
    };
    advice(code, &report.source, place)
}

fn problems(out: &mut String, cause: &Cause, report: &RunReport, by: MadeBy<'_>) {
    let _ = writeln!(out, "\n{}", heading(cause.code, cause.count));
    for example in cause.examples.iter().take(EXAMPLES_MAX) {
        match (example.path.is_root(), example.detail.is_empty()) {
            (true, true) => {}
            (true, false) => drop(writeln!(out, "  {}", plain(&example.detail))),
            (false, true) => drop(writeln!(out, "  {}", example.path)),
            (false, false) => drop(writeln!(out, "  {}  ({})", example.path, plain(&example.detail))),
        }
    }
    let shown = cause.examples.len().min(EXAMPLES_MAX) as u64;
    if cause.count > shown {
        let _ = writeln!(out, "  ... and {} more", thousands(cause.count - shown));
    }
    let _ = writeln!(out, "  What to do: {}", advice_for(report, cause.code, by));
    // What to do about it names a job's command already.
    let is_new = cause.code == Code::ReplacementsHeld && matches!(by, MadeBy::Sync { .. });
    let command = is_new.then(|| way(Way::ReleaseBrake, &report.target, by)).flatten();
    if let Some(command) = command {
        let _ = writeln!(out, "  To release the brake: {command}");
    }
    let first = cause.examples.first();
    if let Some(command) = first.and_then(|first| acknowledge(cause.code, &first.path, by)) {
        let _ = writeln!(out, "  If it is to stay so, it need not be a problem: {command}");
    }
}

/// A held plan, for `octobackup held`; times by the clocks of `zone`.
pub fn held(plan: &HeldPlan, target: &str, zone: &TimeZone) -> String {
    let mut out = format!(
        "{} ({}) wait for approval to be deleted from {}\n  plan {}, of state {}, because\n",
        count(plan.files, "file"),
        size(plan.bytes),
        plain(target),
        plan.id,
        plan.run
    );
    let by = MadeBy::Sync { keeps_versions: true };
    for (reason, kind) in with_kinds(&plan.because, &plan.kinds) {
        reason_and_remedy(&mut out, reason, kind, target, by);
    }
    out.push('\n');
    for entry in &plan.entries {
        let _ = match entry.kind {
            octo_core::Kind::Folder => writeln!(out, "  - {}/", entry.path),
            _ => {
                let time = Moment::from(entry.write_time).local_secs(zone);
                writeln!(out, "  - {}  ({}, {time})", entry.path, size(entry.size_bytes))
            }
        };
    }
    if plan.more > 0 {
        let _ =
            writeln!(out, "  ... and {} more, in {}/.octobackup/held/plan.jsonl", thousands(plan.more), plain(target));
    }
    let _ = writeln!(out, "\n  To delete them:  octobackup held {} --approve {}", quoted(target), plan.id);
    out.push_str("  The source is asked again; only what is still gone there is deleted.\n");
    out
}

/// Text on one line, without characters that hide or turn around what is there.
pub use octo_core::printable::printable as plain;

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let tame = |c: char| c.is_ascii_alphanumeric() || "/._-+:@,=".contains(c);
    if !path.is_empty() && path.chars().all(tame) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
