//! A run as a mail: its subject, and its text for those who read no HTML.

use super::{RunSummary, html, news, text};
use jiff::tz::TimeZone;

/// What stands in the list of mails: the job, and how it went.
pub fn subject(told: &RunSummary) -> String {
    format!("octoBackup: {}: {}", told.run.job, html::verdict(told))
}

/// The report as text; times by the clocks of `zone`.
pub fn text(told: &RunSummary, zone: &TimeZone) -> String {
    let by = text::MadeBy::Job { job: &told.run.job, run: told.run.id };
    format!("{}{}", text::report(&told.report, by, zone), news(told, zone))
}
