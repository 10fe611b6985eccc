//! Writes down every slot that has come, with what becomes of it.

use crate::app_state::AppState;
use crate::moment::Moment;
use crate::run::{Reason, RunKind};
use crate::run_overrides::RunOverrides;
use crate::service_error::ServiceError;
use crate::store::defaults;
use crate::store::jobs;
use crate::store::runs::{self, NewRun};
use crate::store::slots;
use octo_api::job::Slot;
use octo_job::schedule::{self, Decision, Rules, Verdict};
use octo_job::{Job, Policy};
use rusqlite::Connection;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Slots older than this get no record any more: the history does not reach further back either.
const LOOK_BACK_SECS_MAX: i64 = 90 * 86_400;
/// One a minute over all that time.
const SLOTS_MAX: usize = 90 * 24 * 60;
/// Who asks for the runs of a schedule.
const SCHEDULE: &str = "schedule";

/// When each job is due next, so that the calendar is not searched at every look. A cache: an entry counts only for the
/// defaults, the revision and the moment that it was made for.
#[derive(Default)]
pub(super) struct NextSlots(Mutex<Cache>);

#[derive(Default)]
struct Cache {
    defaults: Policy,
    jobs: HashMap<i64, Cached>,
}

struct Cached {
    revision: i64,
    slots_until: Moment,
    next: Option<Moment>,
}

impl NextSlots {
    /// Records what has come for all jobs.
    pub(super) fn record(&self, shared: &AppState) -> Result<(), ServiceError> {
        let (jobs, defaults) = shared.store.read(|db| Ok((jobs::list(db)?, defaults::effective(db)?)))?;
        let now = shared.now();
        let mut first_fault = Ok(());
        for job in jobs.iter().filter(|job| job.spec.schedule.is_some()) {
            // One job that has become invalid must not stop the others.
            let recorded = self.record_one(shared, job, &defaults, now);
            first_fault = first_fault.and(recorded.map_err(|error| error.of_job(&job.spec.name)));
        }
        first_fault
    }

    fn record_one(&self, shared: &AppState, job: &Job, defaults: &Policy, now: Moment) -> Result<(), ServiceError> {
        if now < job.slots_until || self.is_due(job, defaults, now)? {
            shared.store.change(|db| record(db, job, defaults, now))?;
        }
        Ok(())
    }

    fn is_due(&self, job: &Job, defaults: &Policy, now: Moment) -> Result<bool, ServiceError> {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.defaults != *defaults {
            *cache = Cache { defaults: defaults.clone(), jobs: HashMap::new() };
        }
        let fresh = |cached: &&Cached| cached.revision == job.revision && cached.slots_until == job.slots_until;
        let next = match cache.jobs.get(&job.id).filter(fresh) {
            Some(cached) => cached.next,
            None => {
                let next = job.spec.next_slots(defaults, job.slots_until, 1)?.first().copied();
                cache.jobs.insert(job.id, Cached { revision: job.revision, slots_until: job.slots_until, next });
                next
            }
        };
        Ok(next.is_some_and(|next| next <= now))
    }
}

/// One job. The records, the run and how far the records go are one transaction: a slot never runs twice and never gets lost.
fn record(db: &Connection, job: &Job, defaults: &Policy, now: Moment) -> Result<(), ServiceError> {
    let Some(schedule) = job.spec.schedule()? else { return Ok(()) };
    let policy = job.spec.effective_policy(defaults)?;
    // A clock that was put back: what has its record keeps it, and nothing waits until the clock is there again.
    let after = job.slots_until.min(now).max(now.plus_secs(-LOOK_BACK_SECS_MAX));
    let known = slots::known(db, job.id, after, now)?;
    let mut come = schedule::slots(&schedule, &policy.time_zone, after, now, SLOTS_MAX);
    come.retain(|slot| known.binary_search(slot).is_err());
    let rules = Rules {
        zone: &policy.time_zone,
        blackouts: &policy.blackouts,
        catch_up: policy.catch_up,
        overlap: policy.overlap,
        random_delay_secs: policy.random_delay,
        seed: job.id.unsigned_abs(),
    };
    let (is_running, is_waiting) = runs::standing(db, job.id)?;
    let state = schedule::State { is_running, is_waiting, is_paused: job.spec.paused };
    for verdict in schedule::due(&come, now, &rules, state) {
        slots::add(db, job.id, &slot(db, job, &verdict, now)?)?;
    }
    jobs::set_slots_until(db, job.id, now)
}

fn slot(db: &Connection, job: &Job, verdict: &Verdict, now: Moment) -> Result<Slot, ServiceError> {
    let (fate, why, run) = match &verdict.decision {
        Decision::Skipped(why) => (slots::SKIPPED, *why, None),
        Decision::Missed(why) => ("missed", *why, None),
        Decision::Run { not_before, ignores_blackouts, is_late } => {
            let run = NewRun {
                job: job.id,
                job_name: &job.spec.name,
                kind: RunKind::Backup,
                restore: None,
                reason: Reason::Schedule,
                attempt: 0,
                once: &RunOverrides::default(),
                asked_by: SCHEDULE,
                ignores_blackouts: *ignores_blackouts,
                queued_at: now,
                not_before: *not_before,
            };
            (if *is_late { "late" } else { "run" }, "", Some(runs::queue(db, &run)?))
        }
    };
    Ok(Slot { due_at: verdict.slot, fate: fate.to_owned(), why: why.to_owned(), run, noticed_at: now })
}
