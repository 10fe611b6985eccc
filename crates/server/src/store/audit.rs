//! Who changed what, and when. Rows are only ever added; only how often a stranger was refused is counted up.

use crate::moment::Moment;
use crate::service_error::ServiceError;
use rusqlite::{Connection, params};
use serde::Serialize;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Counts up.
    pub id: i64,
    /// When.
    pub at: Moment,
    /// Who.
    pub who: String,
    /// What, as `job.add`.
    pub what: String,
    /// The name of what was changed.
    pub about: String,
    /// What it was changed to; without secrets.
    pub detail: String,
}

/// The newest first; those before `before`.
pub fn list(db: &Connection, before: Option<i64>, limit: u32) -> Result<Vec<Entry>, ServiceError> {
    let sql = "SELECT id, at, who, what, about, detail FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![before.unwrap_or(i64::MAX), limit], |row| {
        Ok(Entry {
            id: row.get(0)?,
            at: Moment(row.get(1)?),
            who: row.get(2)?,
            what: row.get(3)?,
            about: row.get(4)?,
            detail: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Adds a change. `detail` holds no secret.
pub fn add(db: &Connection, at: Moment, who: &str, what: &str, about: &str, detail: &str) -> Result<(), ServiceError> {
    let sql = "INSERT INTO audit (at, who, what, about, detail) VALUES (?1, ?2, ?3, ?4, ?5)";
    db.prepare_cached(sql)?.execute(params![at.0, who, what, about, detail])?;
    Ok(())
}

/// How often a stranger was refused, anew in the same row. Whether it is there.
pub fn count_up(db: &Connection, id: i64, detail: &str) -> Result<bool, ServiceError> {
    Ok(db.prepare_cached("UPDATE audit SET detail = ?2 WHERE id = ?1")?.execute(params![id, detail])? > 0)
}
