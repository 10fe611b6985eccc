//! Restores: asked for here, and done by the runner as runs of the kind `restore`.
//!
//! Who may ask a server is not root on its machine: a restore writes only below folders that the server's configuration
//! allows, and never into a mirror or the server's own data.

use super::credential_uses::claim;
use super::jobs::{find, is_below, is_source};
use super::overlap_check::OverlapCheck;
use super::{Caller, Service, conflict};
use crate::access::Role;
use crate::app_state::AppState;
use crate::history;
use crate::run::{Reason, Run, RunKind, State};
use crate::run_overrides::RunOverrides;
use crate::service_error::{Kind, ServiceError};
use crate::store::runs::{self, NewRun};
use crate::store::{audit, jobs};
use octo_api::credential::CredentialUse;
use octo_api::restore::{Restore, RestoreTo, StartRestore};
use octo_core::address::is_share_address;
use octo_core::{Code, RelPath, SmbAddress};
use octo_job::{Job, JobSpec};
use rusqlite::Connection;
use std::path::{Component, Path, PathBuf};

/// More paths in one restore are a folder.
const PATHS_MAX: usize = 1000;

impl Service {
    /// Queues a restore. Jobs whose source it goes to are paused until a person resumes them.
    pub fn start_restore(
        &self,
        (caller, role): (&Caller, Role),
        name: &str,
        asked: &StartRestore,
    ) -> Result<Run, ServiceError> {
        let state = self.restored_state(name, asked)?;
        let now = self.shared.now();
        let run = self.shared.store.change(|db| {
            let job = find(db, name)?;
            if let Some(run) = runs::current(db, job.id)?.iter().find(|run| run.kind == RunKind::Restore) {
                let id = run.id;
                return Err(conflict(format!("run {id} of {name} restores already. Stop it: octobackup cancel {id}")));
            }
            // In the transaction: a job that is added now is seen here, or sees the restore.
            let all = jobs::list(db)?;
            let to = resolved(&job.spec, &asked.to, role)?;
            if let Some(folder) = &to.folder {
                restore_folder(&self.shared, folder)?;
                self.keeps_apart(folder, &all)?;
            }
            if let (Some(share), Some(credential)) = (&to.share, &to.credential) {
                claim(db, caller, credential, CredentialUse::of_share(share).as_ref(), now)?;
            }
            let pauses = all.iter().filter(|job| !asked.dry_run && is_source(&job.spec, &to));
            let restore = Restore {
                state,
                paths: asked.paths.clone(),
                existing: asked.existing,
                pauses: pauses.map(|job| job.spec.name.clone()).collect(),
                to,
            };
            for other in &restore.pauses {
                pause(db, caller, (&job, other), now)?;
            }
            let once = RunOverrides { dry_run: asked.dry_run, ..RunOverrides::default() };
            let id = runs::queue(
                db,
                &NewRun {
                    job: job.id,
                    job_name: &job.spec.name,
                    kind: RunKind::Restore,
                    restore: Some(&restore),
                    reason: Reason::Manual,
                    attempt: 0,
                    once: &once,
                    asked_by: &caller.name,
                    ignores_blackouts: true,
                    queued_at: now,
                    not_before: now,
                },
            )?;
            audit::add(db, now, &caller.name, "restore.start", name, &serde_json::to_string(&restore)?)?;
            runs::get(db, id)?.ok_or_else(|| ServiceError::not_found("run", id))
        })?;
        self.shared.nudge();
        Ok(run)
    }

    /// The number of the state, which has all that is asked for.
    fn restored_state(&self, job: &str, asked: &StartRestore) -> Result<u64, ServiceError> {
        if asked.paths.len() > PATHS_MAX {
            let what = format!("at most {PATHS_MAX} paths; name the folder that they are in");
            return Err(ServiceError::field("paths", what));
        }
        let wrong = |error: octo_core::Error| ServiceError::field("paths", error.detail);
        let paths = asked.paths.iter().map(|path| history::path(path)).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        self.look_back(job, |_, mirror| {
            let state = history::when(&asked.state).and_then(|when| mirror.state(when));
            let state = state.map_err(|error| match error.code {
                Code::Usage => ServiceError::field("state", error.detail),
                _ => error.into(),
            })?;
            for path in &paths {
                history::demand(mirror, &state, path).map_err(|error| match error.code {
                    Code::Usage => ServiceError::field("paths", error.detail),
                    _ => error.into(),
                })?;
            }
            Ok(state.number())
        })
    }

    /// Refuses a folder that is a mirror of ours, contains one or lies in one, or has to do with the server's own data.
    fn keeps_apart(&self, folder: &str, all: &[Job]) -> Result<(), ServiceError> {
        let place = JobSpec { target: folder.to_owned(), source: "//nowhere/nothing".to_owned(), ..JobSpec::default() };
        let overlap = OverlapCheck::look(&self.shared, [&place].into_iter(), all.iter().map(|job| &job.spec));
        overlap.check(&place, all, None).map_err(|error| ServiceError { field: Some("to".to_owned()), ..error })
    }
}

/// Where to: a folder, or a share with the credential for it. The job's own credential goes to the job's source without more; what
/// else is written with a stored password, an administrator decides.
fn resolved(spec: &JobSpec, to: &RestoreTo, role: Role) -> Result<RestoreTo, ServiceError> {
    let refused = |why: &str| Err(ServiceError::field("to", why));
    match (&to.folder, &to.share, to.source) {
        (Some(_), None, false) if to.credential.is_none() => Ok(to.clone()),
        (Some(_), None, false) => refused("a folder of the server's machine needs no credential"),
        (None, Some(share), false) => share_of(spec, share, to.credential.as_deref(), role),
        (None, None, true) if to.credential.is_some() => refused("the source has the job's credential already"),
        (None, None, true) if is_share_address(&spec.source) => share_of(spec, &spec.source, None, role),
        (None, None, true) if spec.agent().is_some() => refused(
            "the source is an agent's machine, and nothing can be restored to that yet; restore to a folder or a share",
        ),
        (None, None, true) => Ok(RestoreTo::folder(spec.source.clone())),
        _ => refused("one of folder, share and source is needed"),
    }
}

fn share_of(spec: &JobSpec, share: &str, credential: Option<&str>, role: Role) -> Result<RestoreTo, ServiceError> {
    let (address, named) = SmbAddress::parse(share).map_err(|error| ServiceError::field("to", error.detail))?;
    if named.is_some() {
        return Err(ServiceError::field("to", "the account belongs to the credential; leave USER@ out"));
    }
    let is_own = is_below(&spec.source, share);
    let own = spec.credential.as_deref().filter(|_| is_own);
    let credential = credential.or(own);
    if credential.is_none() && !is_own {
        let what = "another share than the job's source needs a credential: --credential NAME";
        return Err(ServiceError::field("credential", what));
    }
    if (!is_own || credential != own) && role < Role::Administrator {
        let what = format!(
            "a restore to {address} with this credential needs an administrator: it is not the source of the job"
        );
        return Err(ServiceError { kind: Kind::Forbidden, ..ServiceError::field("to", what) });
    }
    Ok(RestoreTo::share(address.to_string(), credential.map(str::to_owned)))
}

/// Pauses a job that mirrors what is restored to.
fn pause(db: &Connection, caller: &Caller, (own, name): (&Job, &str), now: crate::Moment) -> Result<(), ServiceError> {
    let job = find(db, name)?;
    let is_at_it = |run: &&Run| run.state == State::Running || run.reason == Reason::Manual;
    // A run of the job itself is waited for.
    if job.id != own.id
        && let Some(run) = runs::current(db, job.id)?.iter().find(is_at_it)
    {
        let what = format!("{name} mirrors this folder, and its run {} is under way or queued", run.id);
        return Err(conflict(format!("{what}: wait for its end, or cancel it: octobackup cancel {}", run.id)));
    }
    if !job.spec.paused {
        jobs::change(db, &job, &JobSpec { paused: true, ..job.spec.clone() }, now)?;
        audit::add(db, now, &caller.name, "job.pause", name, "its source is restored to")?;
    }
    Ok(())
}

/// The folder of the configuration that allows a restore to this one, and where it is in that.
pub(crate) fn restore_folder(shared: &AppState, folder: &str) -> Result<(PathBuf, RelPath), ServiceError> {
    let allowed = shared.restore_folders.get().map(Vec::as_slice).unwrap_or_default();
    let path = Path::new(folder);
    let is_plain = path.is_absolute() && path.components().all(|part| !matches!(part, Component::ParentDir));
    if !is_plain {
        return Err(ServiceError::field("to", format!("{folder:?}: it must be an absolute path, without ..")));
    }
    let below = |allowed: &PathBuf| {
        let below = path.strip_prefix(allowed).ok()?;
        let below = RelPath::parse(&octo_core::path::os_bytes(below)).ok()?;
        Some((allowed.clone(), below))
    };
    // The nearest one: it may be a mount of its own.
    let nearest = allowed.iter().filter_map(below).max_by_key(|(allowed, _)| allowed.as_os_str().len());
    nearest.ok_or_else(|| {
        let names: Vec<_> = allowed.iter().map(|folder| folder.display().to_string()).collect();
        let which = match names.as_slice() {
            [] => "it names none: add restore = [\"/restore\"] to octobackup.toml".to_owned(),
            names => format!("it names {}", names.join(", ")),
        };
        let what = "this server restores only to folders that its configuration names, and below them";
        ServiceError { kind: Kind::Forbidden, ..ServiceError::field("to", format!("{folder}: {what}; {which}")) }
    })
}
