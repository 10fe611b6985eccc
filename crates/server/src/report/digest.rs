//! The digest, all jobs on one page: what succeeded, what did not, what did not run, and which sources have had no good backup for longer
//! than they may. Pure: the service gathers it.

use crate::moment::Moment;
use crate::run::{Ended, Run};
use octo_api::digest::Light;
use octo_core::RunReport;
use octo_core::advice::{Place, advice};
use octo_job::MaxAge;

/// With `max_age=auto`: a job that was due twice and is a day behind has no good backup.
const AUTO_SECS: i64 = 86_400;
const AUTO_SLOTS: u32 = 2;
/// Slots of one job that are listed one by one.
pub const SLOTS_MAX: u32 = 5;

/// Whether a job has had no good backup for too long. `since` is when the last one began, or when the job was made;
/// `slots` counts how often it was due since.
pub fn is_overdue(max_age: MaxAge, since: Moment, slots: u32, now: Moment) -> bool {
    let age_secs = now.0.saturating_sub(since.0);
    match max_age {
        MaxAge::Auto => slots >= AUTO_SLOTS && age_secs > AUTO_SECS,
        MaxAge::Secs(secs) => u64::try_from(age_secs).is_ok_and(|age| age > secs),
        MaxAge::Unlimited => false,
    }
}

/// Why a job is not as it should be, and the next step. `report` is of its newest run, `last`.
pub fn cause_and_next_step(
    job: &str,
    light: Light,
    last: Option<&Run>,
    report: Option<&RunReport>,
) -> (String, String) {
    let start = || (String::new(), format!("start it now: octobackup run {job}"));
    let Some(run) = last else {
        return if light <= Light::NotRun { start() } else { (String::new(), String::new()) };
    };
    let look = format!("octobackup report {}", run.id);
    match (run.outcome, report) {
        (Some(Ended::Failed), Some(report)) => {
            let Some(cause) = report.causes.iter().find(|cause| cause.code.stops_run()) else {
                return (String::new(), format!("see {look}"));
            };
            let detail = cause.examples.first().map(|example| example.detail.as_str()).filter(|text| !text.is_empty());
            let detail = detail.map(|text| format!(" ({text})")).unwrap_or_default();
            (
                format!("{}{detail}", cause.code.title()),
                format!("{} All of it: {look}", advice(cause.code, &report.source, Place::Job(job))),
            )
        }
        (Some(Ended::Failed), None) => (String::new(), format!("see {look}")),
        (Some(Ended::Interrupted), _) => ("the server stopped while it ran".to_owned(), start().1),
        (Some(Ended::Cancelled), _) => ("it was cancelled".to_owned(), start().1),
        (Some(Ended::Held), Some(report)) if light <= Light::Attention => {
            let plan = report.held_plan.as_ref();
            let approve = plan.map(|plan| format!("; to delete them: octobackup run {job} --approve {plan}"));
            (report.held_because.join("; "), format!("see {look}{}", approve.unwrap_or_default()))
        }
        _ if light <= Light::NotRun => start(),
        (Some(Ended::Warnings), Some(report)) if light <= Light::Attention => {
            let problems = report.causes.iter().filter(|cause| !cause.code.is_note());
            let problems: Vec<_> = problems.map(|cause| octo_report::run::heading(cause.code, cause.count)).collect();
            (problems.join("; "), format!("see {look}"))
        }
        _ if light <= Light::Attention => (String::new(), format!("see {look}")),
        _ => (String::new(), String::new()),
    }
}

/// What the light of a job follows from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standing {
    /// No good backup for longer than it may.
    pub is_overdue: bool,
    /// A person paused it.
    pub is_paused: bool,
    /// How its newest run ended, however long ago.
    pub last: Option<Ended>,
    /// A run ended in the time of the page.
    pub ran: bool,
    /// It was due after its newest run, and did not run.
    pub is_behind: bool,
}

impl Standing {
    /// In one word. What is bad stays bad until a run ends better.
    pub fn light(self) -> Light {
        match self.last {
            _ if self.is_overdue => Light::Overdue,
            Some(Ended::Failed | Ended::Interrupted | Ended::Cancelled) => Light::Failed,
            _ if self.is_behind && !self.is_paused => Light::NotRun,
            Some(Ended::Warnings | Ended::Held) => Light::Attention,
            _ if self.is_paused => Light::Paused,
            Some(Ended::Succeeded) if self.ran => Light::Good,
            _ => Light::Idle,
        }
    }
}

#[cfg(test)]
#[path = "digest_tests.rs"]
mod tests;
