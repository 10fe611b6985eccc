//! Jobs.

use crate::moment::Moment;
use crate::service_error::ServiceError;
use octo_job::{Job, JobSpec};
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str = "id, revision, spec, target_id, slots_until, created_at, changed_at, dismissed_plan";

fn read(row: &Row<'_>) -> rusqlite::Result<(Job, String)> {
    let job = Job {
        id: row.get(0)?,
        revision: row.get(1)?,
        spec: JobSpec::default(),
        target_id: row.get(3)?,
        slots_until: Moment(row.get(4)?),
        created_at: Moment(row.get(5)?),
        changed_at: Moment(row.get(6)?),
        dismissed_plan: row.get(7)?,
    };
    Ok((job, row.get(2)?))
}

fn whole((job, spec): (Job, String)) -> Result<Job, ServiceError> {
    Ok(Job { spec: serde_json::from_str(&spec)?, ..job })
}

/// All, by name.
pub fn list(db: &Connection) -> Result<Vec<Job>, ServiceError> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM job ORDER BY name"))?;
    let rows = statement.query_map([], read)?;
    rows.map(|row| whole(row?)).collect()
}

/// One.
pub fn get(db: &Connection, name: &str) -> Result<Option<Job>, ServiceError> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM job WHERE name = ?1"))?;
    statement.query_row([name], read).optional()?.map(whole).transpose()
}

/// One.
pub fn by_id(db: &Connection, id: i64) -> Result<Option<Job>, ServiceError> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM job WHERE id = ?1"))?;
    statement.query_row([id], read).optional()?.map(whole).transpose()
}

/// Adds one. Its slots begin now.
pub fn add(db: &Connection, spec: &JobSpec, now: Moment) -> Result<(), ServiceError> {
    let sql =
        "INSERT INTO job (name, revision, spec, slots_until, created_at, changed_at) VALUES (?1, 1, ?2, ?3, ?3, ?3)";
    db.prepare_cached(sql)?.execute(params![spec.name, serde_json::to_string(spec)?, now.0])?;
    Ok(())
}

/// Changes one. Where its schedule is another, its slots begin now; where its target is another, no mirror is known there.
pub fn change(db: &Connection, job: &Job, spec: &JobSpec, now: Moment) -> Result<(), ServiceError> {
    let same_target = job.spec.target == spec.target;
    let same_slots = job.spec.schedule == spec.schedule && job.spec.policy.time_zone == spec.policy.time_zone;
    let target_id = job.target_id.as_ref().filter(|_| same_target);
    let dismissed_plan = job.dismissed_plan.as_ref().filter(|_| same_target);
    let slots_until = if same_slots { job.slots_until } else { now };
    let sql = "UPDATE job SET name = ?2, spec = ?3, revision = revision + 1, target_id = ?4, slots_until = ?5, changed_at = ?6,
               dismissed_plan = ?7 WHERE id = ?1";
    let spec_text = serde_json::to_string(spec)?;
    db.prepare_cached(sql)?.execute(params![
        job.id,
        spec.name,
        spec_text,
        target_id,
        slots_until.0,
        now.0,
        dismissed_plan
    ])?;
    Ok(())
}

/// Every slot up to this moment has its record.
pub fn set_slots_until(db: &Connection, id: i64, until: Moment) -> Result<(), ServiceError> {
    db.prepare_cached("UPDATE job SET slots_until = ?2 WHERE id = ?1")?.execute(params![id, until.0])?;
    Ok(())
}

/// The mirror that is at the job's target.
pub fn set_target_id(db: &Connection, id: i64, target_id: &str) -> Result<(), ServiceError> {
    db.prepare_cached("UPDATE job SET target_id = ?2 WHERE id = ?1")?.execute(params![id, target_id])?;
    Ok(())
}

/// The held deletions that were dismissed, and are not reported again.
pub fn set_dismissed_plan(db: &Connection, id: i64, plan: Option<&str>) -> Result<(), ServiceError> {
    db.prepare_cached("UPDATE job SET dismissed_plan = ?2 WHERE id = ?1")?.execute(params![id, plan])?;
    Ok(())
}

/// Removes one; its runs stay.
pub fn remove(db: &Connection, id: i64) -> Result<(), ServiceError> {
    db.prepare_cached("DELETE FROM job WHERE id = ?1")?.execute([id])?;
    Ok(())
}
