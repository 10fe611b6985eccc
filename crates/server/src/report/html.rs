//! The report for a mail client: one page without scripts, pictures or anything from elsewhere. Bars are table cells,
//! because mail clients show those and little else. Every text is escaped.

use super::text::{MadeBy, heading, remark, remedy};
use super::{Past, RunSummary, SummaryCause};
use crate::run::Ended;
use jiff::tz::TimeZone;
use octo_core::guard::with_kinds;
use octo_core::numbers::{count, duration, size, thousands};
use std::fmt::Write;

/// Names without a space may be longer than any screen: they are broken anywhere.
const STYLE: &str = "font-family:Segoe UI,Helvetica,Arial,sans-serif;font-size:14px;color:#1c2733;line-height:1.45;\
     overflow-wrap:anywhere;word-break:break-word";
const CELL: &str = "padding:2px 14px 2px 0;vertical-align:top";
/// For browsers: phones, and dark colours where they are preferred. Mail clients that ignore it have the inline styles.
const HEAD: &str = "<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
     <meta name=\"color-scheme\" content=\"light dark\"><style>@media (prefers-color-scheme:dark){\
     body{background:#161b21!important;color:#dde4ea!important}[style*=\"color:#5a6875\"]{color:#9fadba!important}\
     [style*=\"border-bottom\"]{border-bottom-color:#333d47!important}}</style>";
/// Runs in the plot.
const BARS_MAX: usize = 20;
/// The longest bar.
const BAR_PIXELS_MAX: u64 = 130;

/// The whole page; times by the clocks of `zone`.
pub fn page(told: &RunSummary, zone: &TimeZone) -> String {
    let run = &told.run;
    let mut out = String::new();
    let title = format!("{}: {}", run.job, verdict(told));
    let _ = write!(
        out,
        "<div style=\"border-left:6px solid {1};padding-left:12px\"><h2 style=\"margin:0\">{0}</h2><p style=\"margin:4px 0\">\
         {2} &rarr; {3}<br>{4}, took {5}, run {6}</p></div>",
        escaped(&title),
        colour(told),
        escaped(&told.report.source),
        escaped(&told.report.target),
        run.started_at.map_or_else(String::new, |at| at.local(zone)),
        duration(told.report.duration_ms),
        run.id,
    );
    numbers(&mut out, told);
    list(&mut out, "Unusual", &told.unusual);
    held(&mut out, told);
    told.causes.iter().for_each(|cause| one_cause(&mut out, cause, zone));
    if told.mended > 0 {
        let _ = write!(out, "<p>{} of the run before are gone.</p>", count(told.mended.unsigned_abs(), "problem"));
    }
    let by = MadeBy::Job { job: &run.job, run: run.id };
    let remarks: Vec<_> = told.report.remarks.iter().map(|text| remark(text, &told.report.target, by)).collect();
    list(&mut out, "Remarks", &remarks);
    plot(&mut out, &told.past, zone);
    document(&title, &out)
}

pub(super) fn verdict(told: &RunSummary) -> &'static str {
    match (told.run.outcome, told.report.dry_run) {
        (_, true) => "dry run",
        (Some(Ended::Succeeded), _) => "complete",
        (Some(Ended::Warnings), _) => "complete, except for some entries",
        (Some(Ended::Held), _) => "copied; deletions wait for approval",
        (Some(Ended::Failed), _) => "FAILED",
        (Some(Ended::Cancelled), _) => "cancelled",
        (Some(Ended::Interrupted), _) => "interrupted",
        (None, _) => "not finished",
    }
}

/// A small page of its own. `body` is HTML, `title` is text.
pub fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head>{HEAD}<title>{}</title></head>\
         <body style=\"{STYLE}\">{body}</body></html>\n",
        escaped(title)
    )
}

fn colour(told: &RunSummary) -> &'static str {
    match told.run.outcome {
        Some(Ended::Succeeded) => "#2e9e5b",
        Some(Ended::Warnings | Ended::Held) => "#d99a1b",
        Some(Ended::Failed | Ended::Interrupted) => "#c8372d",
        Some(Ended::Cancelled) | None => "#7a8794",
    }
}

fn numbers(out: &mut String, told: &RunSummary) {
    let counts = &told.report.counts;
    let rows = [
        (
            "Source",
            counts.source_files > 0,
            format!("{}, {}", count(counts.source_files, "file"), size(counts.source_bytes)),
        ),
        (
            "Copied",
            counts.created + counts.replaced > 0,
            format!(
                "{} new, {} changed; {} read",
                thousands(counts.created),
                thousands(counts.replaced),
                size(counts.copied_bytes)
            ),
        ),
        ("Renamed", counts.moved > 0, count(counts.moved, "file")),
        ("Deleted", counts.deleted > 0, format!("{}, {}", count(counts.deleted, "file"), size(counts.deleted_bytes))),
        ("Held", counts.held > 0, format!("{} not deleted", count(counts.held, "file"))),
        ("Unchanged", counts.unchanged > 0, count(counts.unchanged, "file")),
        ("Free", told.report.free_bytes.is_some(), size(told.report.free_bytes.unwrap_or(0))),
    ];
    out.push_str("<table style=\"margin:12px 0\">");
    for (name, _, text) in rows.iter().filter(|(_, is_there, _)| *is_there) {
        let _ = write!(out, "<tr><td style=\"{CELL};color:#5a6875\">{name}</td><td style=\"{CELL}\">{text}</td></tr>");
    }
    out.push_str("</table>");
}

fn one_cause(out: &mut String, cause: &SummaryCause, zone: &TimeZone) {
    let news = match (cause.new, cause.still) {
        (0, 0) => String::new(),
        (new, 0) => format!(", {} new", thousands(new)),
        (0, still) => format!(", {} as before", thousands(still)),
        (new, still) => format!(", {} new, {} as before", thousands(new), thousands(still)),
    };
    let title = heading(cause.code, cause.count);
    let _ = write!(out, "<h3 style=\"margin:16px 0 2px\">{}{news}</h3>", escaped(&title));
    for example in &cause.examples {
        let since = match (example.is_new, example.since_at) {
            (true, _) => "new".to_owned(),
            (false, Some(at)) => format!("since {}", at.local(zone)),
            (false, None) => String::new(),
        };
        let good =
            example.last_good_at.map(|at| format!("; last run without it {}", at.local(zone))).unwrap_or_default();
        let parts = [
            ("font-family:Consolas,monospace", escaped(&example.path)),
            ("", escaped(&example.detail)),
            ("color:#5a6875", format!("{since}{good}")),
        ];
        out.push_str("<div style=\"margin:4px 0\">");
        // Below each other: beside each other they fit on no phone.
        for (style, text) in parts.iter().filter(|(_, text)| !text.is_empty()) {
            let _ = write!(out, "<div style=\"{style}\">{text}</div>");
        }
        out.push_str("</div>");
    }
    let more = cause.count.saturating_sub(cause.examples.len() as u64);
    if more > 0 {
        let _ = write!(out, "<div style=\"color:#5a6875\">... and {} more</div>", thousands(more));
    }
    let _ = write!(out, "<p style=\"margin:2px 0\"><b>What to do:</b> {}</p>", escaped(&cause.advice));
}

fn list(out: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = write!(out, "<h3 style=\"margin:16px 0 2px\">{title}</h3><ul style=\"margin:2px 0\">");
    for line in lines {
        let _ = write!(out, "<li>{}</li>", escaped(line));
    }
    out.push_str("</ul>");
}

/// Why deletions are held, with what to do about each reason; the first entries; and the commands.
fn held(out: &mut String, told: &RunSummary) {
    let (report, job) = (&told.report, &told.run.job);
    if report.held_because.is_empty() {
        return;
    }
    out.push_str("<h3 style=\"margin:16px 0 2px\">Deletions are held, because</h3><ul style=\"margin:2px 0\">");
    for (reason, kind) in with_kinds(&report.held_because, &report.held_kinds) {
        let remedy = escaped(&remedy(kind, &report.target, MadeBy::Job { job, run: told.run.id }));
        let _ = write!(out, "<li>{}<br><b>What to do:</b> {remedy}</li>", escaped(reason));
    }
    out.push_str("</ul>");
    if !report.held_examples.is_empty() {
        let held = count(report.counts.held, "held file");
        let _ = write!(out, "<p style=\"margin:6px 0 2px\">Among {held}:</p><ul style=\"margin:2px 0\">");
        for path in &report.held_examples {
            let _ = write!(out, "<li style=\"font-family:Consolas,monospace\">{}</li>", escaped(&path.to_string()));
        }
        out.push_str("</ul>");
    }
    if let Some(plan) = report.held_plan.as_ref().filter(|_| !report.dry_run) {
        let (job, plan) = (escaped(job), escaped(plan));
        let _ = write!(
            out,
            "<p style=\"margin:6px 0 2px\">To delete them: <code>octobackup run {job} --approve {plan}</code><br>\
             To keep them and get no more reminders: <code>octobackup job dismiss {job} {plan}</code></p>"
        );
    }
}

fn plot(out: &mut String, past: &[Past], zone: &TimeZone) {
    if past.len() < 2 {
        return;
    }
    let past = &past[past.len().saturating_sub(BARS_MAX)..];
    let bytes_max = past.iter().map(|run| run.copied_bytes).max().unwrap_or(0).max(1);
    let millis_max = past.iter().map(|run| run.duration_ms).max().unwrap_or(0).max(1);
    out.push_str(
        "<h3 style=\"margin:16px 0 2px\">The last runs</h3><p style=\"margin:2px 0;color:#5a6875\">Blue bars: how long a run took. \
         Violet bars: how much it read from the source.</p><table cellspacing=\"0\">",
    );
    for run in past {
        let _ = write!(
            out,
            "<tr><td style=\"{CELL};color:#5a6875\">{}</td><td style=\"padding:2px 0;white-space:nowrap\">{}{}</td></tr>",
            run.started_at.local(zone),
            bar("#4a90c2", run.duration_ms, millis_max, &duration(run.duration_ms)),
            bar("#8a6fc4", run.copied_bytes, bytes_max, &size(run.copied_bytes)),
        );
    }
    out.push_str("</table>");
}

fn bar(colour: &str, value: u64, max: u64, words: &str) -> String {
    let pixels = u64::try_from(u128::from(value) * u128::from(BAR_PIXELS_MAX) / u128::from(max.max(1))).unwrap_or(0);
    format!(
        "<table cellspacing=\"0\" cellpadding=\"0\"><tr><td width=\"{}\" height=\"10\" style=\"background:{colour}\"></td>\
         <td style=\"padding-left:6px;font-size:12px\">{words}</td></tr></table>",
        pixels.max(1)
    )
}

/// Text as HTML shows it, and nothing more than text.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in super::text::plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
#[path = "html_tests.rs"]
mod tests;
