//! What a run has to say beside its own numbers: what is new, what still fails since when, what is unusual.

use super::text::plain;
use super::{RunSummary, SummaryExample};
use jiff::tz::TimeZone;
use octo_core::numbers::{count, thousands};
use std::fmt::Write;

/// Examples of each cause in the text.
const SHOWN_MAX: usize = 5;

/// The news as text, to follow the report of the run; empty if there are none.
pub fn news(told: &RunSummary, zone: &TimeZone) -> String {
    let mut out = String::new();
    for words in &told.unusual {
        let _ = writeln!(out, "  Unusual: {}", plain(words));
    }
    for cause in told.causes.iter().filter(|cause| cause.new + cause.still > 0) {
        let (new, still) = (thousands(cause.new), thousands(cause.still));
        let _ = writeln!(out, "  {}: {new} new, {still} as before", cause.title);
        for example in cause.examples.iter().take(SHOWN_MAX) {
            let _ = writeln!(out, "    {}  {}", plain(&example.path), since(example, zone));
        }
    }
    if told.mended > 0 {
        let _ = writeln!(out, "  {} of the run before are gone", count(told.mended.unsigned_abs(), "problem"));
    }
    let out = if out.is_empty() { out } else { format!("\nSince the last run\n{out}") };
    out + &held(told)
}

/// What can be done about held deletions.
fn held(told: &RunSummary) -> String {
    let Some(plan) = told.report.held_plan.as_ref().filter(|_| !told.report.dry_run) else { return String::new() };
    let job = &told.run.job;
    format!(
        "\nThe deletions that are held\n  octobackup run {job} --approve {plan}    deletes them\n  \
         octobackup job dismiss {job} {plan}    keeps them and stops reminding you\n"
    )
}

fn since(example: &SummaryExample, zone: &TimeZone) -> String {
    let since = match (example.is_new, example.since_at) {
        (true, _) => "new".to_owned(),
        (false, Some(at)) => format!("since {}", at.local(zone)),
        (false, None) => String::new(),
    };
    match example.last_good_at {
        Some(at) => format!("{since}; the last run without it is of {}", at.local(zone)),
        None => format!("{since}; present since the first run"),
    }
}
