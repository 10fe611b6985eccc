//! All jobs on one page, and when it is sent.

use super::{Caller, Service};
use crate::moment::Moment;
use crate::notify::{self, DIGEST_SCHEDULE, DIGEST_USUAL};
use crate::report::digest::{SLOTS_MAX, Standing, cause_and_next_step, is_overdue};
use crate::service_error::ServiceError;
use crate::store::slots::{self, SKIPPED};
use crate::store::{audit, defaults, failing, jobs, runs, settings};
use octo_api::digest::{Digest, DigestJob, Light, NotRun};
use octo_job::Job;
use octo_job::schedule::{IN_BLACKOUT, Schedule};
use rusqlite::Connection;

/// Runs of one job that are counted.
const RUNS_MAX: u32 = 100;
/// More is history, not news.
const HOURS_MAX: u32 = 24 * 31;

impl Service {
    /// Of the last hours.
    pub fn digest_of_last(&self, hours: u32) -> Result<Digest, ServiceError> {
        if !(1..=HOURS_MAX).contains(&hours) {
            return Err(ServiceError::field("hours", format!("allowed are 1 to {HOURS_MAX}")));
        }
        let now = self.shared.now();
        self.digest(now.plus_secs(-i64::from(hours) * 3600), now)
    }

    /// Of what happened in `(since, until]`.
    pub fn digest(&self, since: Moment, until: Moment) -> Result<Digest, ServiceError> {
        self.shared.store.read(|db| {
            let defaults = defaults::effective(db)?;
            let all = jobs::list(db)?.into_iter().filter(|job| job.created_at <= until);
            let mut jobs = all
                .map(|job| {
                    let max_age = job.spec.effective_policy(&defaults)?.max_age;
                    one_job(db, &job, max_age, since, until)
                })
                .collect::<Result<Vec<_>, ServiceError>>()?;
            jobs.sort_by(|a, b| (a.light, &a.name).cmp(&(b.light, &b.name)));
            Ok(Digest { since, until, jobs })
        })
    }

    /// When it is sent.
    pub fn digest_schedule(&self) -> Result<String, ServiceError> {
        let text = self.shared.store.read(|db| settings::get(db, DIGEST_SCHEDULE))?;
        Ok(text.unwrap_or_else(|| DIGEST_USUAL.to_owned()))
    }

    /// Sets when it is sent; `never` for never.
    pub fn set_digest_schedule(&self, caller: &Caller, text: &str) -> Result<(), ServiceError> {
        if text != notify::DIGEST_NEVER {
            Schedule::parse(text).map_err(|why| ServiceError::field("schedule", format!("{text:?}: {why}")))?;
        }
        let now = self.shared.now();
        self.shared.store.change(|db| {
            if settings::get(db, DIGEST_SCHEDULE)?.as_deref() == Some(notify::DIGEST_NEVER) {
                // A digest that was due while no recipient wanted one is not due now.
                settings::put(db, notify::DIGEST_UNTIL, &now.0.to_string())?;
            }
            settings::put(db, DIGEST_SCHEDULE, text)?;
            audit::add(db, now, &caller.name, "digest.schedule", "", text)
        })?;
        self.shared.nudge_delivery();
        Ok(())
    }
}

/// Whether a job has had no good backup for too long at a moment, and when the last one began.
pub(super) fn overdue(
    db: &Connection,
    job: &Job,
    max_age: octo_job::MaxAge,
    now: Moment,
) -> Result<(bool, Option<Moment>), ServiceError> {
    let last_good_at = failing::last_good_at(db, job.id, i64::MAX)?;
    let since = last_good_at.unwrap_or(job.created_at);
    let slots = slots::count(db, job.id, since, now, 2)?;
    Ok((is_overdue(max_age, since, slots, now), last_good_at))
}

fn one_job(
    db: &Connection,
    job: &Job,
    max_age: octo_job::MaxAge,
    since: Moment,
    until: Moment,
) -> Result<DigestJob, ServiceError> {
    // Whenever it was: what failed a week ago and was not run since is still not backed up.
    let last = runs::last_ended(db, job.id)?;
    let runs = runs::count_ended(db, job.id, since, until, RUNS_MAX)?;
    let (is_overdue, last_good_at) = overdue(db, job, max_age, until)?;
    let slots = slots::without_run(db, job.id, since, until, SLOTS_MAX)?;
    // What was left out since the newest run, not because a person said so, and that no run under way makes up for.
    let last_end = last.as_ref().and_then(|run| run.finished_at);
    let is_running = runs::standing(db, job.id)?.0;
    let is_behind = slots.iter().any(|slot| {
        let is_excused = slot.why == IN_BLACKOUT || is_running && slot.fate == SKIPPED;
        !is_excused && last_end.is_none_or(|at| slot.due_at > at)
    });
    let not_run: Vec<NotRun> = slots.into_iter().map(|slot| NotRun { due_at: slot.due_at, why: slot.why }).collect();
    let is_dismissed = job.dismissed_plan.is_some();
    let outcome = last.as_ref().and_then(|run| {
        let outcome = run.outcome?;
        Some(if is_dismissed { outcome.without_held(run.problems > 0) } else { outcome })
    });
    let standing = Standing { is_overdue, is_paused: job.spec.paused, last: outcome, ran: runs > 0, is_behind };
    let light = standing.light();
    let why = match (job.spec.paused && light != Light::Paused, is_dismissed) {
        (true, _) => "it is paused".to_owned(),
        (false, true) => "deletions that somebody dismissed are held".to_owned(),
        (false, false) => String::new(),
    };
    let report = last.as_ref().map(|run| runs::report(db, run.id)).transpose()?.flatten();
    let (cause, next_step) = cause_and_next_step(&job.spec.name, light, last.as_ref(), report.as_ref());
    // A paused job says so once, not for each of its slots.
    let not_run = if job.spec.paused { Vec::new() } else { not_run };
    Ok(DigestJob { name: job.spec.name.clone(), light, why, cause, next_step, last, runs, last_good_at, not_run })
}
