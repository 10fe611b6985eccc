//! One run, from its claim to its end. Whatever happens, the row gets an outcome.

use super::recover;
use super::restoring::restore;
use crate::app_state::AppState;
use crate::clock::SystemClock;
use crate::event_log::LogEvent;
use crate::events;
use crate::launch::{Launch, blank_report, what_is_paused};
use crate::live::Stop;
use crate::notify;
use crate::run::{Ended, Reason, Run, RunKind};
use crate::run_log::RunLog;
use crate::service_error::{Kind, ServiceError};
use crate::store::failing::{self, RunProblems};
use crate::store::runs::{self, NewRun};
use crate::store::{self, jobs};
use octo_api::log::Level;
use octo_core::numbers::{count, duration, size};
use octo_core::report::Cause;
use octo_core::{Cancel, Error, Event, Monitor, Outcome, Problem, RelPath, RunReport};
use octo_job::schedule::retry_after_secs;
use octo_job::{EffectivePolicy, Job};
use octo_mirror::Bandwidth;
use octo_report::MadeBy;
use octo_report::commands::remedy;
use serde_json::json;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

/// Problems of a run that are kept one by one; all are counted, and the mirror's own report has the rest.
const PROBLEMS_KEPT_MAX: usize = 10_000;

/// A run that was claimed, with everything that it needs.
pub struct Task {
    pub(super) shared: Arc<AppState>,
    pub(super) run: Run,
    pub(super) job: Job,
    pub(super) policy: EffectivePolicy,
    pub(super) cancel: Cancel,
}

impl Task {
    /// The run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Its job, as it was when the run was claimed.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// Whether somebody wants it to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Runs, and writes down how it ended.
    pub(super) fn work(self) {
        self.work_as(|task, watcher| task.make(watcher));
    }

    /// The same with another maker of mirrors, which returns the report, and the mirror's id if it has one.
    pub fn work_as(self, make: impl FnOnce(&Task, &dyn Monitor) -> Result<(RunReport, Option<String>), Error>) {
        self.log_begin();
        let watcher = Watcher { task: &self, problems: Mutex::default(), log: self.begin_log() };
        let (report, target_id) = catch_unwind(AssertUnwindSafe(|| make(&self, &watcher)))
            .unwrap_or_else(|_| Err(Error::panicked("the run")))
            .unwrap_or_else(|error| (self.failed(&error), None));
        let Watcher { problems, log, .. } = watcher;
        let problems = problems.into_inner().unwrap_or_else(PoisonError::into_inner);
        // What cannot be written now (the disk is full) is noticed by the next look: a row without a thread gets its end.
        match self.finish(report, target_id.as_deref(), &problems) {
            Ok(ended) => log.iter().for_each(|log| self.log_end(log, &ended)),
            Err(error) => self.shared.record(&LogEvent::trouble(&error.of_job(&self.job.spec.name))),
        }
        self.shared.live.end(self.run.id);
        self.shared.nudge();
    }

    fn log_begin(&self) {
        let (run, job) = (self.run.id, &self.job.spec.name);
        let event = LogEvent::info("run-begins", format!("run {run} of {job} begins"));
        self.shared.record(&event.with("job", job.as_str()).with("run", run).with("reason", json!(self.run.reason)));
    }

    /// The log with its first lines. A run without one is better than none.
    fn begin_log(&self) -> Option<RunLog> {
        let (shared, run, spec) = (&self.shared, &self.run, &self.job.spec);
        let log = RunLog::open(shared.store.folder(), run.id, shared.clock.clone());
        if let Err(error) = &log {
            let why = ServiceError::new(Kind::Internal, format!("run {} has no log: {error}", run.id));
            shared.record(&LogEvent::trouble(&why.of_job(&spec.name)));
        }
        let log = log.ok()?;
        let asked_by = if run.asked_by.is_empty() { String::new() } else { format!(", asked for by {}", run.asked_by) };
        log.line(Level::Info, &format!("run {} of {} begins{asked_by}", run.id, spec.name));
        log.line(
            Level::Info,
            &match &run.restore {
                Some(restore) => {
                    format!("restores state {} from {} to {}", restore.state, spec.target, restore.place())
                }
                None => format!("from {} to {}", spec.source, spec.target),
            },
        );
        for word in run.once.in_words() {
            log.line(Level::Info, &format!("for this run only: {word}"));
        }
        Some(log)
    }

    fn log_end(&self, log: &RunLog, (report, outcome): &(RunReport, Ended)) {
        let level = match outcome {
            Ended::Succeeded => Level::Info,
            Ended::Warnings | Ended::Held | Ended::Cancelled => Level::Warning,
            Ended::Failed | Ended::Interrupted => Level::Error,
        };
        for (because, kind) in octo_core::guard::with_kinds(&report.held_because, &report.held_kinds) {
            let by = MadeBy::Job { job: &self.job.spec.name, run: self.run.id };
            let step = remedy(kind, &report.target, by);
            log.line(Level::Warning, &format!("deletions are held, because {because}. {step}"));
        }
        for remark in &report.remarks {
            log.line(Level::Info, remark);
        }
        let counts = &report.counts;
        let (copied, deleted) = (count(counts.created + counts.replaced, "file"), count(counts.deleted, "file"));
        let (bytes, problems) = (size(counts.copied_bytes), count(counts.problems, "problem"));
        let took = duration(report.duration_ms);
        let done = match self.run.kind {
            RunKind::Restore => format!("{copied} restored ({bytes})"),
            _ => format!("{copied} copied ({bytes}), {deleted} deleted"),
        };
        log.line(level, &format!("ended: {outcome} after {took}; {done}, {problems}"));
    }

    fn note_end(&self, report: &RunReport, outcome: Ended) {
        let (run, job, counts) = (self.run.id, &self.job.spec.name, &report.counts);
        let message = format!("run {run} of {job} ended: {outcome}, {}", count(counts.problems, "problem"));
        let is_well = matches!(outcome, Ended::Succeeded);
        let event = LogEvent {
            level: if is_well { Level::Info } else { Level::Warning },
            ..LogEvent::info("run-ends", message)
        };
        let event = event.with("job", job.as_str()).with("run", run).with("outcome", outcome.to_string());
        self.shared
            .record(&event.with("copied_files", counts.created + counts.replaced).with("problems", counts.problems));
    }

    fn make(&self, watcher: &dyn Monitor) -> Result<(RunReport, Option<String>), Error> {
        let Task { shared, run, job, .. } = self;
        match (run.kind, &run.restore) {
            (RunKind::Backup, _) => {}
            (RunKind::Restore, Some(wanted)) => {
                let report = restore((shared, job, &self.policy), wanted, self.blank(), watcher, &self.cancel);
                return Ok((report?, None));
            }
            _ => {
                let what = "this version does not know what this run is to do";
                return Err(ServiceError::new(Kind::Internal, what).into());
            }
        }
        let account = job.spec.credential.as_deref().map(|name| crate::service::account(shared, name)).transpose()?;
        let mirror_spec = job.spec.mirror_spec(&self.policy, account.as_ref()).map_err(ServiceError::from)?;
        let wanted = crate::service::use_of(&mirror_spec);
        let unlocked = |name: &str| Ok::<_, ServiceError>(crate::service::unlocked(shared, name, wanted.as_ref())?.1);
        let password = job.spec.credential.as_deref().map(unlocked).transpose()?;
        let target = job.spec.target_path().map_err(ServiceError::from)?;
        let remember = |id: &str| {
            // If that fails, the end of the run tries again.
            let _ = shared.store.change(|db| jobs::set_target_id(db, job.id, id));
        };
        let launch = Launch {
            mirror_spec: &mirror_spec,
            target: &target,
            once: &run.once,
            password,
            agents: shared.agents.get(),
            known_target: job.target_id.clone(),
            pace: Some(bandwidth(&self.policy)),
            clock_is_proven: shared.store.read(|db| store::prune::clock_is_proven(db, shared.clock.now()))?,
            protected: &shared.protected,
            remember: &remember,
        };
        let clock = SystemClock::new();
        let result = launch.run(watcher, &clock, &self.cancel)?;
        Ok((result.report, result.target_id.filter(|_| !run.once.dry_run)))
    }

    /// The report of this run while nothing was done.
    pub(super) fn blank(&self) -> RunReport {
        let spec = &self.job.spec;
        let (from, to) = match &self.run.restore {
            Some(restore) => (&*spec.target, restore.place()),
            None => (&*spec.source, &*spec.target),
        };
        blank_report(from, to, self.run.once.dry_run, self.shared.clock.now())
    }

    /// The report of a run that could not begin.
    fn failed(&self, error: &Error) -> RunReport {
        let mut report = self.blank();
        let problem = Problem { code: error.code, path: RelPath::root(), detail: error.detail.clone() };
        report.counts.problems = 1;
        report.causes = vec![Cause { code: error.code, count: 1, examples: vec![problem] }];
        report
    }

    /// Records how it ended, and queues the messages about it.
    fn finish(
        &self,
        mut report: RunReport,
        target_id: Option<&str>,
        problems: &[Problem],
    ) -> Result<(RunReport, Ended), ServiceError> {
        let (shared, run) = (&self.shared, &self.run);
        let now = shared.now();
        let was_stopped = if report.outcome == Outcome::Cancelled { shared.live.why_stopped(run.id) } else { None };
        let outcome = match was_stopped {
            Some(Stop::Shutdown) => Ended::Interrupted,
            Some(Stop::TooLong) => {
                report.outcome = Outcome::Failed;
                let limit = duration(self.policy.max_duration.unwrap_or_default().saturating_mul(1000));
                report.remarks.push(format!("it was stopped after {limit} (max_duration); the next run continues"));
                Ended::Failed
            }
            _ => Ended::from(report.outcome),
        };
        report.remarks.extend(what_is_paused(run));
        shared.store.change(|db| {
            if !runs::finish(db, run.id, outcome, &report, now)? {
                return Ok(());
            }
            runs::add_problems(db, run.id, problems)?;
            if let Some(target_id) = target_id {
                jobs::set_target_id(db, run.job_id, target_id)?;
            }
            if run.is_backup() {
                let is_all = outcome.is_complete() && problems.len() < PROBLEMS_KEPT_MAX;
                let met = RunProblems { job: run.job_id, run: run.id, now, problems, is_all };
                let mended = failing::update(db, &met)?;
                runs::set_mended(db, run.id, mended)?;
            }
            let goes_on = match outcome {
                Ended::Interrupted => recover::pick_up(db, run, now)?,
                _ => self.retry(db, &report, now)?,
            };
            notify::tell_run(db, run, told_as(db, run, outcome, &report)?, goes_on, now)
        })?;
        self.note_end(&report, outcome);
        shared.nudge_delivery();
        Ok((report, outcome))
    }

    /// Queues the next try, where it may help and none waits already. Whether one is on its way.
    fn retry(
        &self,
        db: &rusqlite::Connection,
        report: &RunReport,
        now: crate::moment::Moment,
    ) -> Result<bool, ServiceError> {
        let run = &self.run;
        let (wait_secs, retries) = (self.policy.retry_wait, self.policy.retries);
        // Who asked for a dry run looks at what it says, and a waiting one would only be in the way.
        if run.once.dry_run || run.kind != RunKind::Backup {
            return Ok(false);
        }
        let (Some(wait_secs), (_, false)) =
            (retry_after_secs(report, run.attempt, retries, wait_secs), runs::standing(db, run.job_id)?)
        else {
            return Ok(false);
        };
        let next = NewRun {
            job: run.job_id,
            job_name: &self.job.spec.name,
            kind: run.kind,
            restore: run.restore.as_ref(),
            reason: Reason::Retry,
            attempt: run.attempt + 1,
            once: &run.once,
            asked_by: &run.asked_by,
            ignores_blackouts: false,
            queued_at: now,
            not_before: now.plus_secs(i64::try_from(wait_secs).unwrap_or(i64::MAX)),
        };
        runs::queue(db, &next).map(|_| true)
    }
}

/// The outcome that messages report: held deletions that were dismissed are not reported again. Others end the dismissal.
fn told_as(db: &rusqlite::Connection, run: &Run, outcome: Ended, report: &RunReport) -> Result<Ended, ServiceError> {
    let dismissed = jobs::by_id(db, run.job_id)?.and_then(|job| job.dismissed_plan);
    if !run.is_backup() || !outcome.is_complete() || dismissed.is_none() {
        return Ok(outcome);
    }
    if report.held_plan != dismissed {
        jobs::set_dismissed_plan(db, run.job_id, None)?;
        return Ok(outcome);
    }
    Ok(outcome.without_held(report.counts.problems > 0))
}

/// Listens to the engine.
struct Watcher<'a> {
    task: &'a Task,
    problems: Mutex<Vec<Problem>>,
    log: Option<RunLog>,
}

impl Monitor for Watcher<'_> {
    fn event(&self, event: &Event<'_>) {
        if let Event::Problem(problem) = event {
            let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
            if problems.len() < PROBLEMS_KEPT_MAX {
                problems.push((*problem).clone());
            }
        }
        if let Some(log) = &self.log {
            log.event(event);
        }
        // Changes may be millions; the mirror itself records them. A dry run is there to be read.
        if !matches!(event, Event::Change(_)) || self.task.run.once.dry_run {
            self.task.shared.live.publish(self.task.run.id, &events::as_json(event));
        }
    }
}

/// The most bytes a second to read, at each moment of the run.
fn bandwidth(policy: &EffectivePolicy) -> Bandwidth {
    if policy.bandwidth_hours.is_empty() {
        return Bandwidth::constant(policy.bandwidth);
    }
    let policy = policy.clone();
    Bandwidth::by_time(move |now| policy.bandwidth_at(now.into()))
}
