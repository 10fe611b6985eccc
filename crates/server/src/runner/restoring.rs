//! One run that restores. It is no backup: nothing of a job's standing follows from it.

use crate::app_state::AppState;
use crate::clock::SystemClock;
use crate::restore::{RestoreLaunch, Restored, To};
use crate::service_error::ServiceError;
use octo_api::restore::{Existing as Wanted, Restore};
use octo_core::report::Cause;
use octo_core::{Cancel, Clock, Code, Error, Event, Monitor, Outcome, Phase, Problem, RelPath, RunReport};
use octo_job::Job;
use octo_mirror::history::When;
use octo_mirror::restore::Existing;

/// Restores, and says what came of it; `blank` is the report of doing nothing. `Err` only for what was never begun.
pub(super) fn restore(
    (shared, job): (&AppState, &Job),
    wanted: &Restore,
    blank: RunReport,
    watcher: &dyn Monitor,
    cancel: &Cancel,
) -> Result<RunReport, ServiceError> {
    let clock = SystemClock::new();
    let mirror = job.spec.target_path()?;
    let paths = wanted.paths.iter().map(|path| crate::history::path(path)).collect::<Result<_, _>>()?;
    // The configuration may have been changed since it was asked for.
    let (allowed, below) = crate::service::restore_folder(shared, wanted.folder())?;
    let launch = RestoreLaunch {
        mirror: &mirror,
        state: When::Number(wanted.state),
        paths,
        to: To::Within { allowed, below },
        existing: existing(wanted.existing),
        dry_run: blank.dry_run,
        protected: &shared.protected,
    };
    watcher.event(&Event::Phase(Phase::Copy));
    let restored = launch.run(watcher, cancel);
    let mut report = report(restored, blank, watcher);
    report.duration_ms = u64::try_from(clock.monotonic().as_millis()).unwrap_or(u64::MAX);
    Ok(report)
}

fn report(restored: Result<Restored, Error>, blank: RunReport, watcher: &dyn Monitor) -> RunReport {
    match restored {
        Ok(restored) => restored.report(blank),
        Err(error) => {
            let problem = Problem { code: error.code, path: RelPath::root(), detail: error.detail };
            watcher.event(&Event::Problem(&problem));
            let mut report = blank;
            report.counts.problems = 1;
            report.outcome = if problem.code == Code::Cancelled { Outcome::Cancelled } else { Outcome::Failed };
            report.causes = vec![Cause { code: problem.code, count: 1, examples: vec![problem] }];
            report
        }
    }
}

/// For the engine.
fn existing(wanted: Wanted) -> Existing {
    match wanted {
        Wanted::KeepBoth => Existing::KeepBoth,
        Wanted::Replace => Existing::Replace,
        Wanted::ReplaceOlder => Existing::ReplaceOlder,
        Wanted::Keep => Existing::Keep,
    }
}
