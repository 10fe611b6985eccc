//! The document of a restore.

use crate::document::{Document, Item, Row, Section, Step, Text, Tone};
use crate::run::{EXAMPLES_MAX, heading};
use crate::time;
use jiff::tz::TimeZone;
use octo_core::numbers::{count, duration, size, speed};
use octo_core::{Outcome, RunReport};

/// What it is built from.
#[derive(Debug, Clone, Copy)]
pub struct RestoreFacts<'a> {
    /// What was done.
    pub report: &'a RunReport,
    /// The job.
    pub job: &'a str,
    /// The run's number at the server.
    pub run: i64,
    /// The state.
    pub state: u64,
    /// The server was stopped or died while it ran.
    pub was_interrupted: bool,
}

/// The document of a restore; times by the clocks of `zone`.
pub fn document(facts: &RestoreFacts<'_>, zone: &TimeZone) -> Document {
    let RestoreFacts { report, job, run, state, was_interrupted } = *facts;
    let (verdict, tone) = verdict(report, was_interrupted);
    let started = time::seconds(report.started, zone);
    let about = vec![
        format!("state {state} of {job} to {}", report.target).into(),
        format!("run {run}, {started}, took {}", duration(report.duration_ms)).into(),
    ];
    let mut sections = Vec::new();
    if was_interrupted || report.outcome == Outcome::Cancelled {
        let steps = vec![Step::what_to_do("Start the same restore again: it goes on where this one stopped.")];
        sections.push(Section { heading: "What was restored stays".into(), steps, ..Section::default() });
    }
    let rows = numbers(report);
    sections.extend((!rows.is_empty()).then(|| Section { rows, ..Section::default() }));
    for cause in &report.causes {
        let examples = cause.examples.iter().take(EXAMPLES_MAX);
        let items: Vec<Item> = examples
            .map(|problem| Item {
                notes: vec![Text::from(problem.detail.as_str())],
                ..Item::path(problem.path.to_string())
            })
            .collect();
        let more = cause.count.saturating_sub(items.len() as u64);
        let heading = heading(cause.code, cause.count);
        sections.push(Section { heading: heading.into(), items, ..Section::default() }.with_more(more));
    }
    sections.extend(Section::of_sentences("Remarks", report.remarks.iter().cloned()));
    Document { title: format!("{job}: {verdict}").into(), tone, about, sections }
}

fn verdict(report: &RunReport, was_interrupted: bool) -> (&'static str, Tone) {
    match (report.outcome, report.dry_run) {
        _ if was_interrupted => ("restore interrupted", Tone::Bad),
        (Outcome::Succeeded | Outcome::Held, false) => ("restored", Tone::Good),
        (Outcome::Warnings, false) => ("restored, except for the entries below", Tone::Attention),
        (Outcome::Failed, false) => ("restore FAILED", Tone::Bad),
        (Outcome::Cancelled, _) => ("restore cancelled", Tone::Neutral),
        (Outcome::Succeeded | Outcome::Held, true) => ("preview of a restore, nothing was changed", Tone::Good),
        (Outcome::Warnings, true) => {
            ("preview of a restore, nothing was changed; there would be problems", Tone::Attention)
        }
        (Outcome::Failed, true) => ("preview of a restore FAILED", Tone::Bad),
    }
}

fn numbers(report: &RunReport) -> Vec<Row> {
    let counts = &report.counts;
    let (files, bytes) = if report.dry_run { ("To restore", "To copy") } else { ("Restored", "Copied") };
    let mut rows = Vec::new();
    let mut say = |name: &str, number: u64, words: String| rows.extend((number > 0).then(|| Row::new(name, words)));
    let restored = counts.created + counts.replaced;
    say(files, restored, format!("{}, {} of them replaced", count(restored, "file"), counts.replaced));
    let pace = speed(counts.copied_bytes, report.duration_ms).map(|pace| format!(" at {pace}")).unwrap_or_default();
    say(bytes, counts.copied_bytes, format!("{}{pace}", size(counts.copied_bytes)));
    say("Folders", counts.folders_created, count(counts.folders_created, "folder"));
    say("Links", counts.links, count(counts.links, "link"));
    say("There already", counts.unchanged, format!("{} with the same size and time", count(counts.unchanged, "file")));
    rows
}
