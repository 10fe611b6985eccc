//! Who changed what, and when. Rows are only ever added; only how often a stranger was refused is counted up.

use crate::moment::Moment;
use crate::service_error::ServiceError;
use octo_api::server::AuditEntry;
use rusqlite::{Connection, params};

/// The newest first; those before `before`.
pub fn list(db: &Connection, before: Option<i64>, limit: u32) -> Result<Vec<AuditEntry>, ServiceError> {
    let sql = "SELECT id, at, who, what, about, detail FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![before.unwrap_or(i64::MAX), limit], |row| {
        Ok(AuditEntry {
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

/// Updates the row that counts how often a stranger was refused. Returns whether it exists.
pub fn count_up(db: &Connection, id: i64, detail: &str) -> Result<bool, ServiceError> {
    Ok(db.prepare_cached("UPDATE audit SET detail = ?2 WHERE id = ?1")?.execute(params![id, detail])? > 0)
}
