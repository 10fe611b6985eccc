//! One run that restores. It is no backup: nothing of a job's standing follows from it.

use crate::app_state::AppState;
use crate::clock::SystemClock;
use crate::restore::{RestoreLaunch, Restored, ShareToRestoreTo, To};
use crate::service_error::ServiceError;
use crate::share_access::share_access;
use octo_api::restore::{Existing as Wanted, Restore};
use octo_core::report::Cause;
use octo_core::{Cancel, Clock, Code, Error, Event, Monitor, Outcome, Phase, Problem, RelPath, RunReport};
use octo_job::{EffectivePolicy, Job, JobSpec};
use octo_mirror::history::When;
use octo_mirror::restore::Existing;
use octo_smb::SmbOptions;

/// Restores, and says what came of it; `blank` is the report of doing nothing. `Err` only for what was never begun.
pub(super) fn restore(
    (shared, job, policy): (&AppState, &Job, &EffectivePolicy),
    wanted: &Restore,
    blank: RunReport,
    watcher: &dyn Monitor,
    cancel: &Cancel,
) -> Result<RunReport, ServiceError> {
    let clock = SystemClock::new();
    let mirror = job.spec.target_path()?;
    let paths = wanted.paths.iter().map(|path| crate::history::path(path)).collect::<Result<_, _>>()?;
    let launch = RestoreLaunch {
        mirror: &mirror,
        state: When::Number(wanted.state),
        paths,
        to: place(shared, policy, wanted, cancel)?,
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

/// Where to. Configuration and credentials may have been changed since it was asked for: they are looked at again.
fn place(shared: &AppState, policy: &EffectivePolicy, wanted: &Restore, cancel: &Cancel) -> Result<To, ServiceError> {
    let Some(share) = &wanted.to.share else {
        let (allowed, below) = crate::service::restore_folder(shared, wanted.place())?;
        return Ok(To::Within { allowed, below });
    };
    // The options of the connection are those of the job.
    let spec = JobSpec { source: share.clone(), credential: wanted.to.credential.clone(), ..JobSpec::default() };
    let name = spec.credential.as_deref();
    let account = name.map(|name| crate::service::account(shared, name)).transpose()?;
    let mirror_spec = spec.mirror_spec(policy, account.as_ref())?;
    let wanted = crate::service::use_of(&mirror_spec);
    let unlocked = |name| Ok::<_, ServiceError>(crate::service::unlocked(shared, name, wanted.as_ref())?.1);
    let password = name.map(unlocked).transpose()?;
    let (address, credentials, options) = share_access(&mirror_spec, password)?;
    let options = SmbOptions { cancel: cancel.clone(), ..options };
    Ok(To::Share(Box::new(ShareToRestoreTo { address, credentials, options })))
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
