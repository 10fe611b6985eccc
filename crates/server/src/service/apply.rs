//! A whole set of jobs at once: what is there is made to be as a file says, in one transaction.
//!
//! A dry run is the same change, rolled back, so the preview cannot differ from the change. Who looked first
//! hands in what they saw: if it is not what would happen now, somebody was faster, and nothing is changed.

use super::jobs::{check, claim_credentials, demand_restored, remove, unique};
use super::overlap_check::OverlapCheck;
use super::{Caller, Service, conflict};
use crate::moment::Moment;
use crate::service_error::ServiceError;
use crate::store::{audit, defaults, jobs};
use octo_api::apply::{Change, Field, What};
use octo_job::{JobSpec, JobsFile, Policy};
use rusqlite::Connection;
use serde::Serialize;
use serde_json::{Map, Value};

/// What is asked of a set of jobs.
pub type ApplyRequest = octo_api::apply::ApplyRequest<JobsFile>;

impl Service {
    /// Everything that a jobs file can say, as it is now.
    pub fn export(&self) -> Result<JobsFile, ServiceError> {
        self.shared.store.read(|db| {
            let own = defaults::own(db)?;
            let jobs = jobs::list(db)?.into_iter().map(|job| job.spec.into()).collect();
            Ok(JobsFile { defaults: (own != Policy::default()).then_some(own), jobs })
        })
    }

    /// Applies the file, or only says what that would change.
    pub fn apply(&self, caller: &Caller, request: &ApplyRequest) -> Result<Vec<Change>, ServiceError> {
        let now = self.shared.now();
        if request.dry_run {
            return self.shared.store.dry_run(|db| self.carry_out(db, caller, request, now));
        }
        let changes = self.shared.store.change(|db| {
            let changes = self.carry_out(db, caller, request, now)?;
            if request.expect.as_ref().is_some_and(|expected| *expected != changes) {
                return Err(conflict("somebody else changed something meanwhile; nothing was changed, look again"));
            }
            Ok(changes)
        })?;
        self.shared.nudge();
        Ok(changes)
    }

    fn carry_out(
        &self,
        db: &Connection,
        caller: &Caller,
        request: &ApplyRequest,
        now: Moment,
    ) -> Result<Vec<Change>, ServiceError> {
        let JobsFile { defaults: given_defaults, jobs: given } = &request.file;
        let mut changes = Vec::new();
        if let Some(policy) = given_defaults {
            policy.check()?;
            let fields = differences(&defaults::own(db)?, policy)?;
            if !fields.is_empty() {
                defaults::put(db, &caller.name, policy, now)?;
                changes.push(Change { what: What::Defaults, job: String::new(), fields });
            }
        }
        let there = jobs::list(db)?;
        if request.remove {
            for job in there.iter().filter(|job| given.iter().all(|spec| spec.name != job.spec.name)) {
                remove(&self.shared, db, caller, job, now)?;
                changes.push(Change { what: What::Remove, job: job.spec.name.clone(), fields: Vec::new() });
            }
        }
        for (place, written) in given.iter().enumerate() {
            if given.iter().take(place).any(|other| other.name == written.name) {
                return Err(ServiceError::field("job", format!("there are two with the name {}", written.name)));
            }
            let known = there.iter().find(|job| job.spec.name == written.name);
            let spec = &written.over(known.map(|job| &job.spec));
            let detail = serde_json::to_string(spec)?;
            match known {
                None => {
                    unique(&jobs::list(db)?, spec, None)?;
                    jobs::add(db, spec, now)?;
                    audit::add(db, now, &caller.name, "job.add", &spec.name, &detail)?;
                    let fields =
                        differences(&JobSpec { name: spec.name.clone(), paused: false, ..JobSpec::default() }, spec)?;
                    changes.push(Change { what: What::Add, job: spec.name.clone(), fields });
                }
                Some(job) if job.spec == *spec => continue,
                Some(job) => {
                    jobs::change(db, job, spec, now)?;
                    audit::add(db, now, &caller.name, "job.change", &spec.name, &detail)?;
                    let fields = differences(&job.spec, spec)?;
                    changes.push(Change { what: What::Change, job: spec.name.clone(), fields });
                }
            }
            if !spec.paused {
                demand_restored(db, spec)?;
            }
        }
        self.check_all(db)?;
        claim_credentials(db, caller, now)?;
        Ok(changes)
    }

    /// All jobs together, as they would be: only the result has to be valid, not each step on the way.
    fn check_all(&self, db: &Connection) -> Result<(), ServiceError> {
        let (all, holds) = (jobs::list(db)?, defaults::effective(db)?);
        let overlap_check = OverlapCheck::look(&self.shared, all.iter().map(|job| &job.spec), std::iter::empty());
        for job in &all {
            let sense = check(db, &job.spec, &holds).and_then(|()| overlap_check.check(&job.spec, &all, Some(job.id)));
            sense.map_err(|error| error.of_job(&job.spec.name))?;
        }
        Ok(())
    }
}

/// What is another, by name; inside the policy each setting by itself.
fn differences(from: &impl Serialize, to: &impl Serialize) -> Result<Vec<Field>, ServiceError> {
    let (from, to) = (flat(from)?, flat(to)?);
    let mut names: Vec<&String> = from.keys().chain(to.keys()).collect();
    names.sort();
    names.dedup();
    let of = |map: &Map<String, Value>, name: &str| map.get(name).cloned().unwrap_or(Value::Null);
    let fields = names.into_iter().map(|name| Field { name: name.clone(), from: of(&from, name), to: of(&to, name) });
    Ok(fields.filter(|field| field.from != field.to).collect())
}

fn flat(value: &impl Serialize) -> Result<Map<String, Value>, ServiceError> {
    let Value::Object(mut fields) = serde_json::to_value(value)? else { return Ok(Map::new()) };
    if let Some(Value::Object(policy)) = fields.remove("policy") {
        fields.extend(policy.into_iter().map(|(name, value)| (format!("policy.{name}"), value)));
    }
    Ok(fields)
}
