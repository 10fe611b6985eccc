//! The runner: notices slots, starts queued runs, ends runs whose thread is gone.
//!
//! [`Runner::activate`] has no input and may be called at any time, by a timer or a nudge: it compares what the store says
//! with what is, and does what is missing. A row that says `running` and has no thread is of a server that died; the lock on
//! the data directory is the lease that makes sure no other server lives. Nothing is remembered here that matters.

mod execute;
mod pick;
mod recover;
mod restoring;
mod slots;
mod threads;

pub use execute::Task;
pub use pick::RunLimits;
pub use recover::reap;
pub use threads::Workers;

use crate::app_state::AppState;
use crate::event_log::LogEvent;
use crate::live::Stop;
use crate::moment::Moment;
use crate::run::{Reason, Run, RunKind, State};
use crate::run_log;
use crate::service_error::ServiceError;
use crate::store;
use octo_api::log::Level;
use octo_core::Cancel;
use octo_job::schedule::Window;
use octo_job::{Job, Policy};
use pick::{Started, Waiting, pick};
use rusqlite::Connection;
use slots::NextSlots;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use threads::Threads;

/// The runner looks at least so often: clocks jump, machines sleep.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const PRUNE_EVERY: Duration = Duration::from_secs(3600);
const STEP: Duration = Duration::from_millis(100);

/// Starts runs and sees that every one gets its end.
pub struct Runner {
    shared: Arc<AppState>,
    limits: RunLimits,
    next_slots: NextSlots,
    workers: Box<dyn Workers>,
    /// Where the runs under way take place: their jobs may have been changed since.
    places: Mutex<BTreeMap<i64, Started>>,
    next_prune: Mutex<Duration>,
    /// What was noted of the server's own health last.
    trouble: Mutex<Option<String>>,
}

impl Runner {
    /// Does nothing yet.
    pub fn new(shared: Arc<AppState>, limits: RunLimits) -> Runner {
        Runner::with_workers(shared, limits, Box::new(Threads::default()))
    }

    /// The same, where somebody else works on the runs.
    pub fn with_workers(shared: Arc<AppState>, limits: RunLimits, workers: Box<dyn Workers>) -> Runner {
        Runner {
            shared,
            limits,
            next_slots: NextSlots::default(),
            workers,
            places: Mutex::default(),
            next_prune: Mutex::default(),
            trouble: Mutex::default(),
        }
    }

    /// Works until it is stopped, then stops all runs cleanly and waits for their ends.
    /// Passes errors to `complain`, and tries again.
    pub fn work(&self, stop: &Cancel, complain: &dyn Fn(&ServiceError)) {
        while !stop.is_cancelled() {
            if let Err(error) = self.activate() {
                complain(&error);
            }
            // In steps, because a signal can set a flag but not ring a bell.
            for _ in 0..LOOK_EVERY.as_millis() / STEP.as_millis() {
                if self.shared.wait(STEP) || stop.is_cancelled() {
                    break;
                }
            }
        }
        self.shared.live.stop_all(Stop::Shutdown);
        self.join();
    }

    /// Does what is missing.
    pub fn activate(&self) -> Result<(), ServiceError> {
        self.note_health();
        self.shared.live.stop_overdue(self.shared.clock.monotonic());
        // Before anything is written down by a clock that may have jumped.
        let pruned = self.prune();
        recover::reap(&self.shared)?;
        // What is wrong with one chore, or with one job, must not stop the others.
        let recorded = self.next_slots.record(&self.shared);
        let started = self.start();
        recorded.and(started).and(pruned)
    }

    /// Notes when the server cannot do its work any more, and when it can again.
    fn note_health(&self) {
        let mut noted = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = self.shared.trouble();
        if *noted == trouble {
            return;
        }
        self.shared.record(&match &trouble {
            Some(why) => LogEvent { level: Level::Error, ..LogEvent::info("unhealthy", why) },
            None => LogEvent::info("healthy", "the server can do its work again"),
        });
        *noted = trouble;
    }

    /// Forgets old history, once an hour.
    fn prune(&self) -> Result<(), ServiceError> {
        let now = self.shared.clock.monotonic();
        let mut next = self.next_prune.lock().unwrap_or_else(PoisonError::into_inner);
        if now < *next {
            return Ok(());
        }
        *next = now + PRUNE_EVERY;
        let store = &self.shared.store;
        let pruned = store::prune::prune(store, self.shared.clock.now())?;
        if let Some(words) = pruned.in_words() {
            let event = LogEvent::info("history-pruned", words);
            let level = if pruned.doubt.is_some() { Level::Warning } else { event.level };
            self.shared.record(&LogEvent { level, ..event });
        }
        run_log::forget(store.folder(), || store.read(store::runs::ids))
    }

    /// Waits for the end of all runs that were started.
    pub fn join(&self) {
        self.workers.join();
    }

    fn start(&self) -> Result<(), ServiceError> {
        let (unfinished, jobs, defaults) = self.shared.store.read(|db| {
            Ok((store::runs::unfinished(db)?, store::jobs::list(db)?, crate::store::defaults::effective(db)?))
        })?;
        let mut waiting = Vec::new();
        let mut started = Vec::new();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|run, _| self.shared.live.has(*run));
        let mut first_fault = Ok(());
        for run in &unfinished {
            let job = jobs.iter().find(|job| job.id == run.job_id);
            let place = Started {
                job: run.job_id,
                host: job.and_then(|job| job.spec.host()),
                disk: job.and_then(|job| disk_of(&job.spec.target)),
            };
            match (run.state, job) {
                (State::Running, _) => started.push(places.get(&run.id).cloned().unwrap_or(place)),
                (_, None) => recover::job_is_gone(&self.shared, run)?,
                (_, Some(job)) => match self.is_ready(run, job, &defaults) {
                    Ok(true) => waiting.push(Waiting { run: run.id, place }),
                    Ok(false) => {}
                    Err(error) => first_fault = first_fault.and(Err(error.of_job(&job.spec.name))),
                },
            }
        }
        for id in pick(&waiting, &started, &self.limits) {
            if let (Some(run), Some(job)) = (
                unfinished.iter().find(|run| run.id == id),
                unfinished.iter().find(|run| run.id == id).and_then(|run| jobs.iter().find(|job| job.id == run.job_id)),
            ) {
                let begun = self.begin(run, job, &defaults);
                places.extend(waiting.iter().find(|it| it.run == id).map(|it| (id, it.place.clone())));
                first_fault = first_fault.and(begun.map_err(|error| error.of_job(&job.spec.name)));
            }
        }
        first_fault
    }

    /// Whether it may start now.
    fn is_ready(&self, run: &Run, job: &Job, defaults: &Policy) -> Result<bool, ServiceError> {
        let now = self.shared.now();
        // Where the clock shows less than when the run was queued, it was put back, and the wait cannot be computed from it.
        let waits = run.not_before > now && run.queued_at <= now;
        if waits || job.spec.paused && run.reason != Reason::Manual {
            return Ok(false);
        }
        if run.ignores_blackouts {
            return Ok(true);
        }
        let policy = job.spec.effective_policy(defaults)?;
        Ok(!Window::any_holds(&policy.blackouts, &policy.time_zone, now))
    }

    fn begin(&self, run: &Run, job: &Job, defaults: &Policy) -> Result<(), ServiceError> {
        let now = self.shared.now();
        let policy = job.spec.effective_policy(defaults)?;
        // The limit is for backups.
        let duration_max = policy.max_duration.filter(|_| run.kind == RunKind::Backup).map(Duration::from_secs);
        // Before the claim: a row that says `running` always has its place among the living.
        let cancel = self.shared.live.begin(run.id, self.shared.clock.monotonic(), duration_max);
        match self.shared.store.change(|db| claim(db, run, now)) {
            Ok(true) => {}
            other => {
                self.shared.live.end(run.id);
                return other.map(drop);
            }
        }
        let (shared, run, job) = (self.shared.clone(), run.clone(), job.clone());
        self.workers.take(Task { shared, run, job, policy, cancel });
        Ok(())
    }
}

/// Claims a run, unless its job was paused since the look: somebody may restore to its source by now.
fn claim(db: &Connection, run: &Run, now: Moment) -> Result<bool, ServiceError> {
    let is_paused = store::jobs::by_id(db, run.job_id)?.is_none_or(|job| job.spec.paused);
    Ok((!is_paused || run.reason == Reason::Manual) && store::runs::claim(db, run.id, now)?)
}

/// The disk on which the mirror is, or would be made.
fn disk_of(target: &str) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    std::path::Path::new(target).ancestors().find_map(|path| std::fs::metadata(path).ok()).map(|meta| meta.dev())
}
