//! The document of a run. Problems are grouped by cause here, once for all renderings.

use crate::commands::{MadeBy, approval, remark, steps};
use crate::document::{Bar, ChartRow, Document, Item, Row, Section, Text, Tone};
use crate::{held, time};
use jiff::tz::TimeZone;
use octo_core::numbers::{count, duration, size, speed, thousands};
use octo_core::report::{Cause, Counts, Problem};
use octo_core::{Code, Outcome, RunReport, Timestamp};
use std::fmt::Write;

/// Examples of each cause.
pub const EXAMPLES_MAX: usize = 5;
/// Earlier runs in the chart: two weeks of daily ones.
const CHART_RUNS_MAX: usize = 14;

/// What a document is built from.
#[derive(Debug, Clone, Copy)]
pub struct RunFacts<'a> {
    /// What the engine reports.
    pub report: &'a RunReport,
    /// Who made the run.
    pub made_by: MadeBy<'a>,
    /// What a server knows of earlier runs.
    pub history: Option<&'a History>,
}

/// What a server knows of the runs before this one.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The server was stopped or died while it ran.
    pub was_interrupted: bool,
    /// What is known of the problems of each cause.
    pub causes: Vec<KnownCause>,
    /// Problems of the run before that are gone.
    pub fixed: u64,
    /// When the job last ran to its end before this run.
    pub last_good: Option<Timestamp>,
    /// What differs from the usual, in words.
    pub unusual: Vec<String>,
    /// Earlier runs to their end, the oldest first.
    pub past: Vec<PastRun>,
}

/// Problems of one cause, compared with the run before.
#[derive(Debug, Clone)]
pub struct KnownCause {
    /// The cause.
    pub code: Code,
    /// How many are new.
    pub new: u64,
    /// How many were there before.
    pub still: u64,
    /// The new ones first.
    pub examples: Vec<KnownExample>,
}

/// One entry that failed.
#[derive(Debug, Clone)]
pub struct KnownExample {
    /// The entry, in the text form of paths.
    pub path: String,
    /// What happened.
    pub detail: String,
    /// Not met by the run before.
    pub is_new: bool,
    /// Since when it fails.
    pub since: Option<Timestamp>,
    /// When the job last ran to its end without this problem.
    pub last_good: Option<Timestamp>,
}

/// An earlier run to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastRun {
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    pub duration_ms: u64,
    /// Bytes read from the source.
    pub copied_bytes: u64,
}

/// The document of a run; times by the clocks of `zone`.
pub fn document(facts: &RunFacts<'_>, zone: &TimeZone) -> Document {
    let RunFacts { report, made_by, history } = *facts;
    let (verdict, tone) = verdict(facts);
    let title = match made_by {
        MadeBy::Job { job, .. } => format!("{job}: {verdict}"),
        MadeBy::Sync { .. } => verdict.to_owned(),
    };
    let mut causes = causes(facts);
    let others = causes.split_off(causes.partition_point(|(cause, _)| cause.code.stops_run()));
    let of_cause = |(cause, known): &(&Cause, Option<&KnownCause>)| one_cause(facts, cause, *known, zone);
    // What needs a decision comes before the numbers.
    let mut sections: Vec<Section> = causes.iter().map(of_cause).collect();
    sections.extend(held_deletions(report, made_by));
    let rows = numbers(report, made_by);
    sections.extend((!rows.is_empty()).then(|| Section { rows, ..Section::default() }));
    sections.extend(history.and_then(|history| Section::of_sentences("Unusual", history.unusual.iter().cloned())));
    sections.extend(others.iter().map(of_cause));
    if let Some(fixed) = history.map(|history| history.fixed).filter(|fixed| *fixed > 0) {
        let heading = format!("Fixed since the last run: {}", count(fixed, "problem"));
        sections.push(Section { heading: heading.into(), ..Section::default() });
    }
    let remarks = report.remarks.iter().map(|text| remark(text, &report.target, made_by));
    sections.extend(Section::of_sentences("Remarks", remarks));
    sections.extend(history.and_then(|history| last_runs(&history.past, zone)));
    Document { title: title.into(), tone, about: about(facts, zone), sections }
}

fn verdict(facts: &RunFacts<'_>) -> (&'static str, Tone) {
    if facts.history.is_some_and(|history| history.was_interrupted) {
        return ("interrupted; the next run continues where this one stopped", Tone::Bad);
    }
    match (facts.report.outcome, facts.report.dry_run) {
        (Outcome::Succeeded, false) => ("complete", Tone::Good),
        (Outcome::Warnings, false) => ("complete, except for the entries below", Tone::Attention),
        (Outcome::Held, false) => ("copied; deletions wait for approval", Tone::Attention),
        (Outcome::Failed, false) => ("FAILED: the mirror is not up to date", Tone::Bad),
        (Outcome::Cancelled, false) => ("cancelled; the next run continues where this one stopped", Tone::Neutral),
        (Outcome::Succeeded, true) => ("dry run, nothing was changed", Tone::Good),
        (Outcome::Warnings, true) => ("dry run, nothing was changed; there would be problems", Tone::Attention),
        (Outcome::Held, true) => ("dry run, nothing was changed; deletions would wait for approval", Tone::Attention),
        (Outcome::Failed, true) => ("dry run FAILED", Tone::Bad),
        (Outcome::Cancelled, true) => ("dry run cancelled", Tone::Neutral),
    }
}

fn about(facts: &RunFacts<'_>, zone: &TimeZone) -> Vec<Text> {
    let RunFacts { report, made_by, history } = facts;
    // People see one number: the server's. Without a server it is that of the mirror's state.
    let number = match (made_by, report.run) {
        (MadeBy::Job { run, .. }, _) => format!("run {run}, "),
        (MadeBy::Sync { .. }, 0) => String::new(),
        (MadeBy::Sync { .. }, state) => format!("state {state}, "),
    };
    let started = time::seconds(report.started, zone);
    let mut lines = vec![
        format!("from {} to {}", report.source, report.target).into(),
        format!("{number}{started}, took {}", duration(report.duration_ms)).into(),
    ];
    let has_no_copy = matches!(report.outcome, Outcome::Failed | Outcome::Cancelled) && !report.dry_run;
    if let Some(history) = history.filter(|history| has_no_copy || history.was_interrupted) {
        lines.push(match history.last_good {
            Some(at) => format!("last good run: {}", time::minutes(at, zone)).into(),
            None => "there is no good run yet".into(),
        });
    }
    lines
}

/// The causes in the order in which they are read: what ended the run, then what is new, then the rest; notes come last.
fn causes<'a>(facts: &RunFacts<'a>) -> Vec<(&'a Cause, Option<&'a KnownCause>)> {
    let known = |code| facts.history.and_then(|history| history.causes.iter().find(|it| it.code == code));
    let mut causes: Vec<_> = facts.report.causes.iter().map(|cause| (cause, known(cause.code))).collect();
    causes.sort_by_key(|(cause, known)| rank(cause.code, known.map_or(0, |known| known.new)));
    causes
}

/// The smaller, the earlier a cause is read; `new` problems of it are new.
pub fn rank(code: Code, new: u64) -> impl Ord {
    (!code.stops_run(), code.is_note(), new == 0)
}

/// A cause in one line, and how often it was met.
pub fn heading(code: Code, times: u64) -> String {
    let title = code.title();
    match (code.stops_run(), code.is_note()) {
        (true, _) => format!("Why it ended: {title}"),
        (false, true) => format!("{}: {title}", count(times, "note")),
        (false, false) => format!("{}: {title}", count(times, "problem")),
    }
}

fn one_cause(facts: &RunFacts<'_>, cause: &Cause, known: Option<&KnownCause>, zone: &TimeZone) -> Section {
    let news = match known.map_or((0, 0), |known| (known.new, known.still)) {
        (0, 0) => String::new(),
        (new, 0) => format!(" ({} new)", thousands(new)),
        (0, still) => format!(" ({} as before)", thousands(still)),
        (new, still) => format!(" ({} new, {} as before)", thousands(new), thousands(still)),
    };
    let known = known.map_or(&[][..], |known| &known.examples);
    let items: Vec<Item> = if known.is_empty() {
        cause.examples.iter().take(EXAMPLES_MAX).filter_map(example).collect()
    } else {
        known.iter().take(EXAMPLES_MAX).map(|it| known_example(it, zone)).collect()
    };
    let shown = cause.examples.len().max(known.len()).min(EXAMPLES_MAX) as u64;
    let report = facts.report;
    let first = cause.examples.first().map(|example| &example.path);
    let steps = steps(cause.code, first, &report.source, &report.target, facts.made_by);
    let heading = format!("{}{news}", heading(cause.code, cause.count));
    Section { heading: heading.into(), items, steps, ..Section::default() }.with_more(cause.count.saturating_sub(shown))
}

fn example(problem: &Problem) -> Option<Item> {
    let detail = Some(problem.detail.as_str()).filter(|detail| !detail.is_empty());
    if problem.path.is_root() {
        return detail.map(Item::sentence);
    }
    let notes = detail.into_iter().map(Text::from).collect();
    Some(Item { notes, ..Item::path(problem.path.to_string()) })
}

fn known_example(example: &KnownExample, zone: &TimeZone) -> Item {
    let shown = |at: Timestamp| time::minutes(at, zone);
    let since = match (example.is_new, example.since, example.last_good) {
        (true, _, Some(good)) => format!("new, last run without it {}", shown(good)),
        (true, _, None) => "new".to_owned(),
        (false, Some(at), Some(good)) => format!("since {}, last run without it {}", shown(at), shown(good)),
        (false, Some(at), None) => format!("present since the first run, {}", shown(at)),
        (false, None, _) => String::new(),
    };
    let notes = [example.detail.as_str(), &since].into_iter().filter(|note| !note.is_empty()).map(Text::from);
    Item { notes: notes.collect(), ..Item::path(example.path.as_str()) }
}

/// Why deletions are held, the first of them, and what can be done.
fn held_deletions(report: &RunReport, by: MadeBy<'_>) -> Vec<Section> {
    if report.held_because.is_empty() {
        return Vec::new();
    }
    let heading = "Deletions are held: nothing was deleted, because";
    let reasons = held::reasons(heading, &report.held_because, &report.held_kinds, &report.target, by);
    let items: Vec<Item> = report.held_examples.iter().map(|path| Item::path(path.to_string())).collect();
    let shown = items.len() as u64;
    let plan = report.held_plan.as_ref().filter(|_| !report.dry_run);
    let steps = plan.map(|plan| approval(plan, &report.target, by)).unwrap_or_default();
    let heading = match report.counts.held {
        0 => "What is held".to_owned(),
        files => format!("{} held", count(files, "file")),
    };
    let more = if shown == 0 { 0 } else { report.counts.held.saturating_sub(shown) };
    let files = Section { heading: heading.into(), items, steps, ..Section::default() }.with_more(more);
    vec![reasons, files]
}

fn numbers(report: &RunReport, by: MadeBy<'_>) -> Vec<Row> {
    let counts = &report.counts;
    let (copied, deleted) = if report.dry_run { ("To copy", "To delete") } else { ("Copied", "Deleted") };
    let mut rows = Vec::new();
    if counts.source_files > 0 || counts.source_folders > 0 {
        let what = files_and_folders(counts.source_files, counts.source_folders);
        rows.push(Row::new("Source", format!("{what}, {}", size(counts.source_bytes))));
    }
    if counts.created > 0 || counts.replaced > 0 {
        let mut text = format!("{} new, {} changed", thousands(counts.created), thousands(counts.replaced));
        if counts.copied_bytes > 0 {
            let pace = speed(counts.copied_bytes, report.duration_ms).map(|pace| format!(" at {pace}"));
            let _ = write!(text, "; {} read{}", size(counts.copied_bytes), pace.unwrap_or_default());
        }
        rows.push(Row::new(copied, text));
    }
    let optional = [
        ("Unchanged", counts.unchanged, "file"),
        ("New folders", counts.folders_created, "folder"),
        ("Links", counts.links, "link"),
        ("Renamed", counts.moved, "file"),
        ("Time only", counts.restamped, "file"),
        ("Not local", counts.not_local, "file"),
    ];
    let optional = optional.into_iter().filter(|(_, number, _)| *number > 0);
    rows.extend(optional.map(|(name, number, what)| Row::new(name, count(number, what))));
    if counts.metadata_kept > 0 || counts.metadata_refreshed > 0 {
        rows.push(Row::new("Metadata", metadata(counts)));
    }
    if counts.deleted > 0 || counts.folders_deleted > 0 {
        let what = files_and_folders(counts.deleted, counts.folders_deleted);
        rows.push(Row::new(deleted, format!("{what}, {}", size(counts.deleted_bytes))));
    }
    if counts.held > 0 {
        rows.push(Row::new("Held", format!("{} not deleted", count(counts.held, "file"))));
    }
    if let Some(free) = report.free_bytes {
        rows.push(Row::new("Free", format!("{} on the target", size(free))));
    }
    let keeps_versions = by != MadeBy::Sync { keeps_versions: false };
    if keeps_versions && !report.dry_run && (counts.replaced > 0 || counts.deleted > 0) {
        let folder = format!("{}/.octobackup/versions/{}/tree", report.target, report.run);
        rows.push(Row::new("Versions", format!("what was replaced or deleted is in {folder}")));
    }
    rows
}

/// Files and folders alike.
fn metadata(counts: &Counts) -> String {
    let parts = [
        (counts.metadata_kept, "kept"),
        (counts.metadata_refreshed, "newer than the data"),
        (counts.metadata_recorded, "stored partly beside the files (.octobackup/meta)"),
        (counts.metadata_lost, "not complete"),
    ];
    let parts = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", thousands(*n)));
    parts.collect::<Vec<_>>().join(", ")
}

fn files_and_folders(files: u64, folders: u64) -> String {
    let both = [(files, "file"), (folders, "folder")].into_iter().filter(|(number, _)| *number > 0);
    both.map(|(number, one)| count(number, one)).collect::<Vec<_>>().join(" and ")
}

fn last_runs(past: &[PastRun], zone: &TimeZone) -> Option<Section> {
    let past = &past[past.len().saturating_sub(CHART_RUNS_MAX)..];
    let millis_max = past.iter().map(|run| run.duration_ms).max()?;
    let bytes_max = past.iter().map(|run| run.copied_bytes).max()?;
    let chart = past.iter().map(|run| ChartRow {
        name: time::minutes(run.started, zone).into(),
        bars: vec![
            bar(run.duration_ms, millis_max, format!("took {}", duration(run.duration_ms))),
            bar(run.copied_bytes, bytes_max, format!("read {}", size(run.copied_bytes))),
        ],
    });
    // One run has nothing to be compared with.
    (past.len() > 1).then(|| Section { heading: "The last runs".into(), chart: chart.collect(), ..Section::default() })
}

fn bar(value: u64, max: u64, words: String) -> Bar {
    let percent = u128::from(value) * 100 / u128::from(max.max(1));
    Bar { words: words.into(), percent: u8::try_from(percent).unwrap_or(100).clamp(1, 100) }
}
