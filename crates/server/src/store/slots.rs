//! Every moment at which a job was due, and what became of it.

use crate::moment::Moment;
use crate::service_error::ServiceError;
use octo_api::job::Slot;
use rusqlite::{Connection, Row, params};

/// The fate of a slot that a rule left out.
pub const SKIPPED: &str = "skipped";

/// Adds a slot. `false` if it has its record already: a clock that was put back brings it again, and it must not run twice.
pub fn add(db: &Connection, job: i64, slot: &Slot) -> Result<bool, ServiceError> {
    let sql = "INSERT OR IGNORE INTO slot (job, due_at, fate, why, run, noticed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let Slot { due_at, fate, why, run, noticed_at } = slot;
    Ok(db.prepare_cached(sql)?.execute(params![job, due_at.0, fate, why, run, noticed_at.0])? > 0)
}

/// Slots that got one run get another instead.
pub fn hand_over(db: &Connection, from: i64, to: i64) -> Result<(), ServiceError> {
    db.prepare_cached("UPDATE slot SET run = ?2 WHERE run = ?1")?.execute([from, to])?;
    Ok(())
}

/// Those that have a record in `(after, until]`.
pub fn known(db: &Connection, job: i64, after: Moment, until: Moment) -> Result<Vec<Moment>, ServiceError> {
    let sql = "SELECT due_at FROM slot WHERE job = ?1 AND due_at > ?2 AND due_at <= ?3 ORDER BY due_at";
    let mut statement = db.prepare_cached(sql)?;
    Ok(statement.query_map(params![job, after.0, until.0], |row| row.get(0).map(Moment))?.collect::<Result<_, _>>()?)
}

/// How often a job was due in `(after, until]`; counted up to `count_max`.
pub fn count(db: &Connection, job: i64, after: Moment, until: Moment, count_max: u32) -> Result<u32, ServiceError> {
    let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM slot WHERE job = ?1 AND due_at > ?2 AND due_at <= ?3 LIMIT ?4)";
    Ok(db.prepare_cached(sql)?.query_row(params![job, after.0, until.0, count_max], |row| row.get(0))?)
}

/// Those in `(after, until]` that have no run, the newest first.
pub fn without_run(
    db: &Connection,
    job: i64,
    after: Moment,
    until: Moment,
    limit: u32,
) -> Result<Vec<Slot>, ServiceError> {
    let sql = "SELECT due_at, fate, why, run, noticed_at FROM slot
               WHERE job = ?1 AND due_at > ?2 AND due_at <= ?3 AND run IS NULL ORDER BY due_at DESC LIMIT ?4";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![job, after.0, until.0, limit], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The newest first; those due before `before`.
pub fn list(db: &Connection, job: i64, before: Option<Moment>, limit: u32) -> Result<Vec<Slot>, ServiceError> {
    let sql = "SELECT due_at, fate, why, run, noticed_at FROM slot WHERE job = ?1 AND due_at < ?2 ORDER BY due_at DESC LIMIT ?3";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![job, before.map_or(i64::MAX, |at| at.0), limit], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Slot> {
    Ok(Slot {
        due_at: Moment(row.get(0)?),
        fate: row.get(1)?,
        why: row.get(2)?,
        run: row.get(3)?,
        noticed_at: Moment(row.get(4)?),
    })
}
