//! Runs whose server died: they are ended as interrupted, and queued again.

use crate::app_state::AppState;
use crate::launch::{blank_report, never_began, what_is_paused};
use crate::notify;
use crate::run::{Ended, Reason, Run, RunKind, State};
use crate::run_log::RunLog;
use crate::run_overrides::RunOverrides;
use crate::service_error::ServiceError;
use crate::store::runs::{self, NewRun};
use octo_api::log::Level;
use octo_core::Outcome;
use rusqlite::Connection;

/// A job whose runs bring the server down again and again is not started by itself any more.
const RECOVERIES_MAX: u32 = 3;

/// Ends every run that says it is running and is not.
pub fn reap(shared: &AppState) -> Result<(), ServiceError> {
    let dead: Vec<Run> = shared.store.read(runs::unfinished)?;
    for run in dead.iter().filter(|run| run.state == State::Running && !shared.live.has(run.id)) {
        let now = shared.now();
        let mut report = blank_report("", "", run.once.dry_run, shared.clock.now());
        report.outcome = Outcome::Cancelled;
        report.remarks.push(format!("the server died or was killed during this run; {}", what_stays(run)));
        report.remarks.extend(what_is_paused(run));
        if let Some(started) = run.started_at {
            let secs = now.0.saturating_sub(started.0);
            report.duration_ms = u64::try_from(secs).unwrap_or(0).saturating_mul(1000);
        }
        shared.store.change(|db| {
            if runs::finish(db, run.id, Ended::Interrupted, &report, now)? {
                let goes_on = pick_up(db, run, now)?;
                notify::tell_run(db, run, Ended::Interrupted, goes_on, now)?;
            }
            Ok(())
        })?;
        if let Ok(log) = RunLog::open(shared.store.folder(), run.id, shared.clock.clone()) {
            log.line(Level::Error, &format!("ended: interrupted; the server died or was killed, {}", what_stays(run)));
        }
        shared.nudge_delivery();
    }
    Ok(())
}

fn what_stays(run: &Run) -> &'static str {
    match run.kind {
        RunKind::Restore => "what was restored stays, and the same restore, started again, goes on from there",
        _ => "what was copied stays",
    }
}

/// Queues the run that goes on where an interrupted one stopped. In the transaction that ends the interrupted one.
/// Whether there is one.
pub(super) fn pick_up(db: &Connection, run: &Run, now: crate::moment::Moment) -> Result<bool, ServiceError> {
    // A person decides whether a restore goes on: the place may be used by now.
    if run.kind != RunKind::Backup {
        return Ok(false);
    }
    let in_a_row = runs::interrupted_in_a_row(db, run.job_id, RECOVERIES_MAX + 1)?;
    let (_, is_waiting) = runs::standing(db, run.job_id)?;
    if run.once.dry_run || is_waiting || in_a_row > RECOVERIES_MAX {
        return Ok(is_waiting);
    }
    // `new_target` and `restamp` are for one run, which may have done them already.
    let once = RunOverrides { new_target: false, restamp_shift_secs: None, ..run.once.clone() };
    let next = NewRun {
        job: run.job_id,
        job_name: &run.job,
        kind: run.kind,
        restore: run.restore.as_ref(),
        reason: Reason::Recovery,
        attempt: run.attempt,
        once: &once,
        asked_by: &run.asked_by,
        ignores_blackouts: run.ignores_blackouts,
        queued_at: now,
        not_before: now,
    };
    runs::queue(db, &next).map(|_| true)
}

/// A queued run whose job was removed.
pub(super) fn job_is_gone(shared: &AppState, run: &Run) -> Result<(), ServiceError> {
    let report = never_began(shared.clock.now(), run, "the job was removed before this run began");
    shared.store.change(|db| runs::finish(db, run.id, Ended::Cancelled, &report, shared.now())).map(drop)
}
