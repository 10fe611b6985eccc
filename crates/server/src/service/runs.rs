//! Runs: asked for, watched, cancelled, looked at afterwards.

use super::jobs::{demand_restored, find, view_of};
use super::{Caller, JobView, PAGE_MAX, Service, conflict};
use crate::launch::never_began;
use crate::live::Stop;
use crate::run::{Ended, EntryProblem, Reason, Run, RunKind, RunView, State};
use crate::run_log;
use crate::run_overrides::RunOverrides;
use crate::service_error::{Kind, ServiceError};
use crate::store::runs::{self, NewRun};
use crate::store::{audit, failing, jobs, slots};
use octo_api::log::LogPart;
use octo_api::summary::{Past, RunSummary, SummaryCause};
use octo_core::RunReport;
use octo_job::Job;
use octo_report::commands::steps;
use octo_report::run::rank;
use octo_report::{EXAMPLES_MAX, MadeBy, PastRun, Step, unusual};
use rusqlite::Connection;

/// Earlier runs that are looked at.
const PAST_MAX: u32 = 30;

impl Service {
    /// Queues a run now. It takes the place of one that waits by itself, as an automatic retry does; one that a person asked
    /// for keeps its place. A plan that no longer waits for approval is refused here: the run could only fail.
    pub fn start_run(&self, caller: &Caller, job: &str, once: &RunOverrides) -> Result<Run, ServiceError> {
        let now = self.shared.now();
        let run = self.shared.store.change(|db| {
            let job = find(db, job)?;
            let name = &job.spec.name;
            demand_restored(db, &job.spec)?;
            if let Some(plan) = &once.approve {
                waits_for_approval(db, &job, plan).map_err(|why| ServiceError::field("approve", why))?;
            }
            let mut current = runs::current(db, job.id)?;
            // It waits for the end of a restore, and leaves those that wait.
            current.retain(|run| run.kind == RunKind::Backup);
            let by_person = |run: &&Run| run.reason == Reason::Manual || run.state == State::Running;
            if let Some(run) = current.iter().find(by_person) {
                return Err(conflict(occupied(run)));
            }
            let run = NewRun {
                job: job.id,
                job_name: &job.spec.name,
                kind: RunKind::Backup,
                restore: None,
                reason: Reason::Manual,
                attempt: 0,
                once,
                asked_by: &caller.name,
                ignores_blackouts: true,
                queued_at: now,
                not_before: now,
            };
            let id = runs::queue(db, &run)?;
            // A dry run makes no backup: what waits keeps its place beside it.
            for waiting in current.iter().filter(|_| !once.dry_run) {
                let report = never_began(
                    self.shared.clock.now(),
                    waiting,
                    &format!("run {id}, started by hand, took its place"),
                );
                runs::finish(db, waiting.id, Ended::Cancelled, &report, now)?;
                slots::hand_over(db, waiting.id, id)?;
            }
            audit::add(db, now, &caller.name, "run.start", name, &serde_json::to_string(once)?)?;
            one(db, id)
        })?;
        self.shared.nudge();
        Ok(run)
    }

    /// The newest first, of one job or of all; those before `before`.
    pub fn runs(&self, job: Option<&str>, before: Option<i64>, limit: u32) -> Result<Vec<Run>, ServiceError> {
        self.shared.store.read(|db| {
            let runs = runs::list(db, job, before, limit.min(PAGE_MAX))?;
            // The history of a job that was removed stays, so only who has none can be mistyped.
            if let Some(name) = job.filter(|_| runs.is_empty() && before.is_none()) {
                find(db, name)?;
            }
            Ok(runs)
        })
    }

    /// One run.
    pub fn run(&self, id: i64) -> Result<RunView, ServiceError> {
        let run = self.shared.store.read(|db| one(db, id))?;
        let progress = self.shared.live.progress(id).and_then(|event| serde_json::from_value(event).ok());
        Ok(RunView { run, progress })
    }

    /// The report of a finished run.
    pub fn report(&self, id: i64) -> Result<RunReport, ServiceError> {
        let run = self.run(id)?.run;
        let report = self.shared.store.read(|db| runs::report(db, id))?;
        report.ok_or_else(|| {
            let state = if run.state == State::Queued { "waiting" } else { "running" };
            conflict(format!("run {id} has no report yet: it is {state}"))
        })
    }

    /// The summary of a finished run: grouped by cause, with what is new and what is unusual.
    pub fn summary(&self, id: i64) -> Result<RunSummary, ServiceError> {
        let report = self.report(id)?;
        let run = self.run(id)?.run;
        self.shared.store.read(|db| {
            let news = runs::new_and_still(db, id)?;
            let mut causes = Vec::new();
            for cause in &report.causes {
                let code = cause.code.as_str();
                let (new, still) =
                    news.iter().find(|(known, ..)| known == code).map_or((0, 0), |(_, new, still)| (*new, *still));
                let by = MadeBy::Job { job: &run.job, run: id };
                let first = cause.examples.first().map(|first| &first.path);
                let steps = steps(cause.code, first, &report.source, &report.target, by);
                causes.push(SummaryCause {
                    code: cause.code,
                    title: cause.code.title().to_owned(),
                    advice: advice_in_a_line(&steps),
                    count: cause.count,
                    new,
                    still,
                    examples: runs::examples(db, id, code, EXAMPLES_MAX as u32)?,
                });
            }
            // What ended the run comes first, then what is new; notes come last.
            causes.sort_by_key(|cause| rank(cause.code, cause.new));
            let past = runs::past(db, run.job_id, id, PAST_MAX)?;
            let this = Past {
                started_at: run.started_at.unwrap_or_default(),
                duration_ms: report.duration_ms,
                copied_bytes: report.counts.copied_bytes,
            };
            let habit: Vec<PastRun> = past.iter().copied().map(PastRun::from).collect();
            let unusual = if run.is_good() { unusual(&habit, this.into()) } else { Vec::new() };
            let last_good_at = failing::last_good_at(db, run.job_id, id)?;
            Ok(RunSummary { mended: runs::mended(db, id)?, run, report, causes, last_good_at, unusual, past })
        })
    }

    /// Lines of its log, from the offset `after` on. A run that waits has none yet.
    pub fn run_log(&self, id: i64, after: u64, limit: u32) -> Result<LogPart, ServiceError> {
        // Asked before the file is read: what is over gets no more lines.
        let is_over = self.run(id)?.run.state == State::Finished && !self.shared.live.has(id);
        let limit = limit.clamp(1, PAGE_MAX) as usize;
        let part = run_log::read(self.shared.store.folder(), id, after, limit);
        let part = part.map_err(|e| ServiceError::new(Kind::Internal, format!("the log of run {id}: {e}")))?;
        Ok(LogPart { is_over, ..part })
    }

    /// Problems of a run, from the `after`th on.
    pub fn problems(&self, id: i64, after: i64, limit: u32) -> Result<Vec<EntryProblem>, ServiceError> {
        self.run(id)?;
        self.shared.store.read(|db| runs::problems(db, id, after, limit.min(PAGE_MAX)))
    }

    /// Dismisses the deletions that a job holds: they stay held, and are not reported again until they change.
    pub fn dismiss(&self, caller: &Caller, job: &str, plan: &str) -> Result<JobView, ServiceError> {
        let now = self.shared.now();
        self.shared.store.change(|db| {
            let job = find(db, job)?;
            let name = &job.spec.name;
            waits_for_approval(db, &job, plan).map_err(|why| ServiceError::field("plan", why))?;
            jobs::set_dismissed_plan(db, job.id, Some(plan))?;
            audit::add(db, now, &caller.name, "job.dismiss", name, plan)?;
            view_of(db, name, now)
        })
    }

    /// Stops a run, or takes it out of the queue. The next run goes on from where it stopped.
    pub fn cancel_run(&self, caller: &Caller, id: i64) -> Result<Run, ServiceError> {
        let now = self.shared.now();
        let run = self.shared.store.change(|db| {
            let run = one(db, id)?;
            match run.state {
                State::Finished => return Err(conflict(format!("run {id} has ended already"))),
                State::Running if !self.shared.live.has(id) => {
                    return Err(conflict(format!("run {id} is not running")));
                }
                State::Running => {}
                State::Queued => {
                    let report = never_began(self.shared.clock.now(), &run, "it was taken out of the queue");
                    runs::finish(db, id, Ended::Cancelled, &report, now)?;
                }
            }
            audit::add(db, now, &caller.name, "run.cancel", &run.job, &id.to_string())?;
            one(db, id)
        })?;
        if run.state == State::Running {
            // Only once that is written down: what is refused is not done. One that has ended meanwhile is stopped, too.
            let _ = self.shared.live.stop(id, Stop::Person);
        }
        self.shared.nudge();
        Ok(run)
    }
}

/// The advice, and after it what else can be done.
fn advice_in_a_line(steps: &[Step]) -> String {
    let parts =
        steps.iter().map(|step| if step.command.is_empty() { step.words.to_string() } else { step.to_string() });
    parts.collect::<Vec<_>>().join(" ")
}

fn one(db: &Connection, id: i64) -> Result<Run, ServiceError> {
    runs::get(db, id)?.ok_or_else(|| ServiceError::not_found("run", id))
}

/// Why a plan cannot be approved or dismissed, if so: only the one that the newest complete run wrote can.
fn waits_for_approval(db: &Connection, job: &Job, plan: &str) -> Result<(), String> {
    let name = &job.spec.name;
    let waits = runs::held_plan(db, job.id).map_err(|error| error.to_string())?;
    match waits {
        Some(waits) if waits == plan => Ok(()),
        Some(waits) => Err(format!("{plan:?}: it was superseded, or never was; the plan that waits is {waits}")),
        None => Err(format!("{plan:?}: no deletions of {name} wait for approval")),
    }
}

/// What keeps another run from being started, and what to do.
fn occupied(run: &Run) -> String {
    let Run { id, job, .. } = run;
    match run.state {
        State::Running => format!("{job} is running (run {id}). Stop it: octobackup cancel {id}"),
        _ => format!("run {id} of {job} is already queued. Take it out: octobackup cancel {id}"),
    }
}
