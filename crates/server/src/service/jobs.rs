//! Jobs, and when they are due.

use super::credential_uses::claim;
use super::credentials::parse_account;
use super::digest::overdue;
use super::overlap_check::OverlapCheck;
use super::{ByName, Caller, PAGE_MAX, Service, conflict};
use crate::app_state::AppState;
use crate::launch::never_began;
use crate::moment::Moment;
use crate::report::metrics::{self, JobStanding};
use crate::run::{Ended, Run, State};
use crate::service_error::ServiceError;
use crate::store::{audit, credentials, defaults, jobs, outbox, runs, slots};
use octo_api::credential::CredentialUse;
use octo_api::job::{Slot, Upcoming};
use octo_api::restore::RestoreTo;
use octo_core::address::is_share_address;
use octo_core::{SmbAddress, naming};
use octo_job::{Job, JobSpec, Policy};
use rusqlite::Connection;
use std::path::Path;

/// More jobs than one server is built for.
const JOBS_MAX: usize = 2000;
/// Slots that are looked ahead, of one job and in one answer.
const SLOTS_MAX: usize = octo_api::SLOTS_MAX as usize;

/// A job, and how it stands.
pub type JobView = octo_api::job::JobView<JobSpec>;

impl Service {
    /// Jobs, by name.
    pub fn jobs(&self, part: &ByName) -> Result<Vec<JobView>, ServiceError> {
        let now = self.shared.now();
        self.shared.store.read(|db| {
            let layers = Layers::read(db)?;
            let jobs = part.of(jobs::list(db)?, |job| &job.spec.name);
            jobs.into_iter().map(|job| view(db, job, &layers, now)).collect()
        })
    }

    /// One job.
    pub fn job(&self, name: &str) -> Result<JobView, ServiceError> {
        let now = self.shared.now();
        self.shared.store.read(|db| view_of(db, name, now))
    }

    /// Adds a job.
    pub fn add_job(&self, caller: &Caller, spec: &JobSpec) -> Result<JobView, ServiceError> {
        let now = self.shared.now();
        let added = self.shared.store.change(|db| {
            check(db, spec, &defaults::effective(db)?)?;
            if !spec.paused {
                demand_restored(db, spec)?;
            }
            claim_credential(db, caller, spec, now)?;
            let all = jobs::list(db)?;
            unique(&all, spec, None)?;
            let others = all.iter().map(|other| &other.spec);
            OverlapCheck::look(&self.shared, [spec].into_iter(), others).check(spec, &all, None)?;
            jobs::add(db, spec, now)?;
            audit::add(db, now, &caller.name, "job.add", &spec.name, &serde_json::to_string(spec)?)?;
            // In the transaction: if this fails, nothing was done.
            view_of(db, &spec.name, now)
        })?;
        self.shared.nudge();
        Ok(added)
    }

    /// Changes a job; what changes nothing makes no new revision. `revision` is the one that was looked at: somebody else's change is not overwritten unseen.
    pub fn change_job(
        &self,
        caller: &Caller,
        name: &str,
        revision: i64,
        spec: &JobSpec,
    ) -> Result<JobView, ServiceError> {
        let now = self.shared.now();
        let changed = self.shared.store.change(|db| {
            let job = find(db, name)?;
            if job.revision != revision {
                let is = job.revision;
                return Err(conflict(format!(
                    "somebody else changed {name} (revision {is}, not {revision}); look again"
                )));
            }
            if *spec == job.spec {
                return view_of(db, name, now);
            }
            check(db, spec, &defaults::effective(db)?)?;
            if !spec.paused {
                demand_restored(db, spec)?;
            }
            claim_credential(db, caller, spec, now)?;
            let all = jobs::list(db)?;
            unique(&all, spec, Some(job.id))?;
            let others = all.iter().filter(|other| other.id != job.id).map(|other| &other.spec);
            OverlapCheck::look(&self.shared, [spec].into_iter(), others).check(spec, &all, Some(job.id))?;
            jobs::change(db, &job, spec, now)?;
            audit::add(db, now, &caller.name, "job.change", name, &serde_json::to_string(spec)?)?;
            view_of(db, &spec.name, now)
        })?;
        self.shared.nudge();
        Ok(changed)
    }

    /// Pauses a job, or lets it go on.
    pub fn pause_job(&self, caller: &Caller, name: &str, paused: bool) -> Result<JobView, ServiceError> {
        let Job { revision, spec, .. } = self.job(name)?.job;
        self.change_job(caller, name, revision, &JobSpec { paused, ..spec })
    }

    /// Removes a job. Its mirror and its history stay.
    pub fn remove_job(&self, caller: &Caller, name: &str) -> Result<(), ServiceError> {
        let now = self.shared.now();
        self.shared.store.change(|db| remove(&self.shared, db, caller, &find(db, name)?, now))
    }

    /// What became of a job's slots, the newest first.
    pub fn slots(&self, name: &str, before: Option<Moment>, limit: u32) -> Result<Vec<Slot>, ServiceError> {
        self.shared.store.read(|db| slots::list(db, find(db, name)?.id, before, limit.min(PAGE_MAX)))
    }

    /// For a monitoring system.
    pub fn metrics(&self) -> Result<String, ServiceError> {
        let now = self.shared.now();
        let health = metrics::health(&self.shared.findings());
        let jobs = self.shared.store.read(|db| {
            let defaults = defaults::effective(db)?;
            let unfinished = runs::unfinished(db)?;
            let mut standings = Vec::new();
            for job in jobs::list(db)? {
                let is =
                    |state| unfinished.iter().any(|run| run.job_id == job.id && run.state == state && run.is_backup());
                let max_age = job.spec.effective_policy(&defaults)?.max_age;
                let (is_overdue, last_good_at) = overdue(db, &job, max_age, now)?;
                standings.push(JobStanding {
                    name: job.spec.name.clone(),
                    paused: job.spec.paused,
                    next_slot: job.spec.next_slots(&defaults, now, 1)?.pop(),
                    last: runs::last_ended(db, job.id)?,
                    last_good_at,
                    is_overdue,
                    is_running: is(State::Running),
                    is_queued: is(State::Queued),
                });
            }
            Ok(metrics::page(&standings, outbox::waiting(db)?))
        });
        // A database that cannot be read is what a monitoring system has to hear of.
        Ok(format!("{health}{}", jobs.unwrap_or_default()))
    }

    /// The next slots of all jobs, the soonest first.
    pub fn upcoming(&self, count: usize) -> Result<Vec<Upcoming>, ServiceError> {
        let now = self.shared.now();
        if !(1..=SLOTS_MAX).contains(&count) {
            return Err(ServiceError::field("count", format!("allowed are 1 to {SLOTS_MAX}")));
        }
        self.shared.store.read(|db| {
            let defaults = defaults::effective(db)?;
            let mut all = Vec::new();
            for job in jobs::list(db)? {
                let expected_secs = runs::usual_duration_ms(db, job.id)?.map(|ms| ms / 1000);
                let name = &job.spec.name;
                all.extend(job.spec.next_slots(&defaults, now, count)?.into_iter().map(|due_at| Upcoming {
                    job: name.clone(),
                    due_at,
                    expected_secs,
                    paused: job.spec.paused,
                }));
            }
            all.sort_by(|a, b| (a.due_at, &a.job).cmp(&(b.due_at, &b.job)));
            all.truncate(count);
            Ok(all)
        })
    }
}

pub(super) fn find(db: &Connection, name: &str) -> Result<Job, ServiceError> {
    jobs::get(db, name)?.ok_or_else(|| ServiceError::not_found("job", name))
}

/// Refuses what would mirror a restore that is not whole yet: a job that was paused for one, or, by whatever name, one with its
/// folder as the source. To be asked in the transaction that sets the job going.
pub(super) fn demand_restored(db: &Connection, spec: &JobSpec) -> Result<(), ServiceError> {
    let goes_there = |run: &&Run| {
        let Some(restore) = run.restore.as_ref().filter(|_| !run.once.dry_run) else { return false };
        restore.pauses.contains(&spec.name) || is_source(spec, &restore.to)
    };
    match runs::unfinished(db)?.iter().find(goes_there) {
        Some(run) => Err(conflict(format!("run {} restores to the source of {}: wait for its end", run.id, spec.name))),
        None => Ok(()),
    }
}

/// Whether the place has to do with the source of a job: it is it, lies in it, or contains it. Of shares as far as their
/// addresses say so: a host that has two names, or a folder that two shares have, are not known here.
pub(super) fn is_source(spec: &JobSpec, to: &RestoreTo) -> bool {
    if let Some(folder) = &to.folder {
        return spec.local_source().is_some_and(|source| octo_disk::overlap(&source, Path::new(folder)).is_err());
    }
    let Some(share) = &to.share else { return false };
    is_below(&spec.source, share) || is_below(share, &spec.source)
}

/// Whether a folder of a share is this one, or lies below it; for Windows the case of letters makes no difference.
pub(super) fn is_below(above: &str, folder: &str) -> bool {
    let read = |text: &str| is_share_address(text).then(|| SmbAddress::parse(text).ok()).flatten();
    let (Some((above, _)), Some((folder, _))) = (read(above), read(folder)) else { return false };
    let same = |a: &[u8], b: &[u8]| naming::fold(a) == naming::fold(b);
    let place = |it: &SmbAddress| (it.host.to_lowercase(), it.port, it.share.to_lowercase());
    let mut names = folder.path.names();
    place(&above) == place(&folder)
        && above.path.names().all(|name| names.next().is_some_and(|it| same(name.as_bytes(), it.as_bytes())))
}

/// Whether a job makes sense with these defaults (over what is built in), and with the credentials that there are.
pub(super) fn check(db: &Connection, spec: &JobSpec, defaults: &Policy) -> Result<(), ServiceError> {
    let account = match &spec.credential {
        None => None,
        Some(name) => {
            let known = credentials::get(db, name)?;
            let known = known.ok_or_else(|| {
                ServiceError::field(
                    "credential",
                    format!("there is no credential {name}; add it with: octobackup credential set"),
                )
            })?;
            Some(parse_account(&known.account)?)
        }
    };
    spec.check(defaults, account.as_ref())?;
    if let Some(source) = spec.local_source() {
        octo_disk::overlap(&source, &spec.target_path()?).map_err(|error| ServiceError::field("target", error))?;
    }
    Ok(())
}

/// Refuses a credential that may not be used at the job's host; its first use is noted.
pub(super) fn claim_credential(
    db: &Connection,
    caller: &Caller,
    spec: &JobSpec,
    now: Moment,
) -> Result<(), ServiceError> {
    let Some(name) = &spec.credential else { return Ok(()) };
    claim(db, caller, name, CredentialUse::of_share(&spec.source).as_ref(), now)
}

/// The same for all jobs.
pub(super) fn claim_credentials(db: &Connection, caller: &Caller, now: Moment) -> Result<(), ServiceError> {
    for job in jobs::list(db)? {
        claim_credential(db, caller, &job.spec, now).map_err(|error| error.of_job(&job.spec.name))?;
    }
    Ok(())
}

/// Refuses a job too many, and a second one of a name.
pub(super) fn unique(all: &[Job], spec: &JobSpec, me: Option<i64>) -> Result<(), ServiceError> {
    if me.is_none() && all.len() >= JOBS_MAX {
        return Err(conflict(format!("there are {JOBS_MAX} jobs already")));
    }
    if all.iter().any(|other| Some(other.id) != me && other.spec.name == spec.name) {
        return Err(conflict(format!("there is a job {} already", spec.name)));
    }
    Ok(())
}

/// Removes a job that does not run, and what waits for it.
pub(super) fn remove(
    shared: &AppState,
    db: &Connection,
    caller: &Caller,
    job: &Job,
    now: Moment,
) -> Result<(), ServiceError> {
    let name = &job.spec.name;
    for run in runs::unfinished(db)?.iter().filter(|run| run.job_id == job.id) {
        if run.state == State::Running {
            return Err(conflict(format!("{name} is running (run {}); cancel it first", run.id)));
        }
        let report = never_began(shared.clock.now(), run, "the job was removed before this run began");
        runs::finish(db, run.id, Ended::Cancelled, &report, now)?;
    }
    jobs::remove(db, job.id)?;
    audit::add(db, now, &caller.name, "job.remove", name, "")
}

/// What lies below the policies of all jobs: read once for a list of them.
struct Layers {
    own: Policy,
    whole: Policy,
}

impl Layers {
    fn read(db: &Connection) -> Result<Layers, ServiceError> {
        Ok(Layers { own: defaults::own(db)?, whole: defaults::effective(db)? })
    }
}

pub(super) fn view_of(db: &Connection, name: &str, now: Moment) -> Result<JobView, ServiceError> {
    view(db, find(db, name)?, &Layers::read(db)?, now)
}

fn view(db: &Connection, job: Job, layers: &Layers, now: Moment) -> Result<JobView, ServiceError> {
    let settings = job.spec.policy.explained(&layers.own)?;
    let last_run = runs::last_ended(db, job.id)?;
    let current_run = runs::current(db, job.id)?.into_iter().next();
    let next_slot = if job.spec.paused { None } else { job.spec.next_slots(&layers.whole, now, 1)?.pop() };
    Ok(JobView { job, settings, last_run, current_run, next_slot })
}
