//! What a monitoring system scrapes, in the text format of Prometheus. A pure function of how the jobs stand.

use crate::moment::Moment;
use crate::run::{Ended, Run};
use std::fmt::Write;

/// How a job stands.
#[derive(Debug, Clone)]
pub struct JobStanding {
    /// Its name.
    pub name: String,
    /// It is paused.
    pub paused: bool,
    /// When it is due next.
    pub next_slot: Option<Moment>,
    /// Its newest finished run.
    pub last: Option<Run>,
    /// When the last run began that ended with a complete mirror, warnings or held deletions.
    pub last_good_at: Option<Moment>,
    /// It has had no good backup for longer than it may.
    pub is_overdue: bool,
    /// A run of it is under way.
    pub is_running: bool,
    /// A run of it waits.
    pub is_queued: bool,
}

/// One metric: its name, what it means, and its value for a job.
type Metric = (&'static str, &'static str, fn(&JobStanding) -> Option<f64>);

const METRICS: &[Metric] = &[
    (
        "octobackup_job_last_good_timestamp_seconds",
        "Begin of the last run that ended succeeded, with warnings or held.",
        |job| job.last_good_at.map(|at| at.0 as f64),
    ),
    ("octobackup_job_next_slot_timestamp_seconds", "When the job is due next.", |job| {
        job.next_slot.map(|at| at.0 as f64)
    }),
    ("octobackup_job_overdue", "1 if the job has had no good backup for longer than its max_age.", |job| {
        Some(f64::from(u8::from(job.is_overdue)))
    }),
    ("octobackup_job_paused", "1 if a person paused the job.", |job| Some(f64::from(u8::from(job.paused)))),
    ("octobackup_job_running", "1 if a run of the job is under way.", |job| Some(f64::from(u8::from(job.is_running)))),
    ("octobackup_job_queued", "1 if a run of the job waits.", |job| Some(f64::from(u8::from(job.is_queued)))),
    ("octobackup_job_last_run_duration_seconds", "How long the last run took.", |job| {
        job.last.as_ref().map(|run| run.duration_ms as f64 / 1000.0)
    }),
    ("octobackup_job_last_run_copied_files", "Files copied by the last run.", |job| last(job, |run| run.copied_files)),
    ("octobackup_job_last_run_copied_bytes", "Bytes read by the last run.", |job| last(job, |run| run.copied_bytes)),
    ("octobackup_job_last_run_deleted_files", "Files deleted by the last run.", |job| {
        last(job, |run| run.deleted_files)
    }),
    ("octobackup_job_last_run_problems", "Problems of the last run.", |job| last(job, |run| run.problems)),
];

const OUTCOMES: [Ended; 6] =
    [Ended::Succeeded, Ended::Warnings, Ended::Held, Ended::Failed, Ended::Cancelled, Ended::Interrupted];

/// Whether the server can do its work: one line a finding.
#[cfg(unix)]
pub fn health(findings: &[octo_api::server::Finding]) -> String {
    let name = "octobackup_healthy";
    let mut out = format!("# HELP {name} 1 if this part of the server can do its work.\n# TYPE {name} gauge\n");
    for finding in findings {
        let _ = writeln!(out, "{name}{{part=\"{}\"}} {}", escaped(&finding.about), u8::from(finding.is_well));
    }
    out
}

/// The page about jobs. `messages` wait in the outbox.
pub fn page(jobs: &[JobStanding], messages: i64) -> String {
    let name = "octobackup_outbox_waiting";
    let mut out =
        format!("# HELP {name} Messages that are not delivered yet.\n# TYPE {name} gauge\n{name} {messages}\n");
    for (name, help, value) in METRICS {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
        for job in jobs {
            if let Some(value) = value(job) {
                let _ = writeln!(out, "{name}{{job=\"{}\"}} {value}", escaped(&job.name));
            }
        }
    }
    let name = "octobackup_job_last_run_outcome";
    let _ = writeln!(out, "# HELP {name} 1 for the outcome of the last run, 0 for the others.\n# TYPE {name} gauge");
    for job in jobs {
        for outcome in OUTCOMES.iter().filter(|_| job.last.is_some()) {
            let is_it = job.last.as_ref().and_then(|run| run.outcome) == Some(*outcome);
            let _ = writeln!(out, "{name}{{job=\"{}\",outcome=\"{outcome}\"}} {}", escaped(&job.name), u8::from(is_it));
        }
    }
    out
}

fn last(job: &JobStanding, value: impl Fn(&Run) -> i64) -> Option<f64> {
    job.last.as_ref().map(|run| value(run) as f64)
}

/// A label's value: only `\`, `"` and line breaks are special.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str) -> JobStanding {
        JobStanding {
            name: name.into(),
            paused: true,
            next_slot: None,
            last: None,
            last_good_at: Some(Moment(1_785_877_205)),
            is_overdue: false,
            is_running: false,
            is_queued: true,
        }
    }

    /// What `promtool check metrics` demands: base units, named last; no suffix that belongs to counters and histograms.
    #[test]
    fn names_are_as_prometheus_wants_them() {
        let page = page(&[job("fs1")], 0);
        let names = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        for name in names {
            let words: Vec<&str> = name.split('_').collect();
            let units = ["seconds", "bytes"];
            let others = [
                "milliseconds",
                "ms",
                "minutes",
                "hours",
                "days",
                "kilobytes",
                "mb",
                "percent",
                "total",
                "count",
                "sum",
                "bucket",
                "info",
            ];
            assert!(!words.iter().any(|word| others.contains(word)), "{name}");
            assert!(words.iter().all(|word| !units.contains(word)) || units.contains(words.last().unwrap()), "{name}");
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
            assert_eq!(page.matches(&format!("# HELP {name} ")).count(), 1, "{name}");
        }
        assert!(page.ends_with('\n'));
    }

    #[test]
    fn each_line_is_a_metric_of_a_job_or_says_what_one_means() {
        let page = page(&[job("fs1"), job("a\"b\\c\nd")], 3);
        assert!(page.contains("octobackup_job_last_good_timestamp_seconds{job=\"fs1\"} 1785877205\n"));
        assert!(page.contains("octobackup_job_paused{job=\"a\\\"b\\\\c\\nd\"} 1\n"));
        assert!(page.contains("octobackup_outbox_waiting 3\n"));
        for line in page.lines().filter(|line| !line.starts_with("octobackup_outbox")) {
            let is_value = line.rsplit_once("} ").is_some_and(|(name, value)| {
                name.starts_with("octobackup_") && name.contains("{job=\"") && value.parse::<f64>().is_ok()
            });
            assert!(
                is_value || line.starts_with("# HELP octobackup_") || line.starts_with("# TYPE octobackup_"),
                "{line}"
            );
        }
        assert!(!page.contains("last_run_problems{"), "what never was is not shown");
    }
}
