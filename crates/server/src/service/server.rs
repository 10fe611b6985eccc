//! The server itself: its defaults, who changed what, and whether it can do its work.

use super::jobs;
use super::{Caller, PAGE_MAX, Service};
use crate::service_error::{Kind, ServiceError};
use crate::store::{audit, defaults};
use octo_api::server::AuditEntry;
use octo_job::Policy;

impl Service {
    /// The server's defaults, without what is built in.
    pub fn defaults(&self) -> Result<Policy, ServiceError> {
        self.shared.store.read(defaults::own)
    }

    /// Sets the server's defaults. Refused if a job would become invalid.
    pub fn set_defaults(&self, caller: &Caller, policy: &Policy) -> Result<(), ServiceError> {
        policy.check()?;
        let holds = policy.over(&Policy::built_in());
        self.shared.store.change(|db| {
            for job in crate::store::jobs::list(db)? {
                jobs::check(db, &job.spec, &holds).map_err(|error| ServiceError {
                    detail: format!("the job {} would be invalid: {}", job.spec.name, error.detail),
                    ..error
                })?;
            }
            defaults::put(db, &caller.name, policy, self.shared.now())
        })?;
        self.shared.nudge();
        Ok(())
    }

    /// Who changed what, the newest first.
    pub fn audit(&self, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>, ServiceError> {
        self.write_refusals()?;
        self.shared.store.read(|db| audit::list(db, before, limit.min(PAGE_MAX)))
    }

    /// Fails, with what is wrong and what to do, if the server cannot do its work.
    pub fn is_healthy(&self) -> Result<(), ServiceError> {
        self.shared.trouble().map_or(Ok(()), |why| Err(ServiceError::new(Kind::Internal, why)))
    }
}
