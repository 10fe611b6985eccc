//! The server's defaults for the policies of its jobs.

use super::{audit, jobs, settings};
use crate::moment::Moment;
use crate::service_error::ServiceError;
use octo_job::Policy;
use rusqlite::Connection;

/// The setting that holds the server's defaults.
const DEFAULTS: &str = "defaults";

/// The server's own defaults, without what is built in.
pub fn own(db: &Connection) -> Result<Policy, ServiceError> {
    Ok(settings::get(db, DEFAULTS)?.map(|text| serde_json::from_str(&text)).transpose()?.unwrap_or_default())
}

/// Sets the server's defaults. Where they name another zone, the slots of the jobs that follow it begin now, as those of a job that is given another zone.
pub fn put(db: &Connection, caller: &str, policy: &Policy, now: Moment) -> Result<(), ServiceError> {
    if policy.zone()? != effective(db)?.zone()? {
        for job in jobs::list(db)?.iter().filter(|job| job.spec.policy.time_zone.is_none()) {
            jobs::set_slots_until(db, job.id, now)?;
        }
    }
    let text = serde_json::to_string(policy)?;
    settings::put(db, DEFAULTS, &text)?;
    audit::add(db, now, caller, "defaults.set", "", &text)
}

/// The server's defaults over what is built in.
pub fn effective(db: &Connection) -> Result<Policy, ServiceError> {
    Ok(own(db)?.over(&Policy::built_in()))
}
