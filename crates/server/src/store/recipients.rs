//! The recipients of messages.

use crate::moment::Moment;
use crate::notify::Recipient;
use crate::service_error::ServiceError;
use rusqlite::{Connection, OptionalExtension, params};

/// All, by name.
pub fn list(db: &Connection) -> Result<Vec<Recipient>, ServiceError> {
    let mut statement = db.prepare_cached("SELECT spec FROM recipient ORDER BY name")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    rows.map(|spec| Ok(serde_json::from_str(&spec?)?)).collect()
}

/// One.
pub fn get(db: &Connection, name: &str) -> Result<Option<Recipient>, ServiceError> {
    let mut statement = db.prepare_cached("SELECT spec FROM recipient WHERE name = ?1")?;
    let spec: Option<String> = statement.query_row([name], |row| row.get(0)).optional()?;
    Ok(spec.map(|spec| serde_json::from_str(&spec)).transpose()?)
}

/// Sets one, replacing what was there.
pub fn put(db: &Connection, recipient: &Recipient, now: Moment) -> Result<(), ServiceError> {
    let sql = "INSERT INTO recipient (name, spec, changed_at) VALUES (?1, ?2, ?3)
               ON CONFLICT (name) DO UPDATE SET spec = ?2, changed_at = ?3";
    db.prepare_cached(sql)?.execute(params![recipient.name, serde_json::to_string(recipient)?, now.0])?;
    Ok(())
}

/// Removes one. Whether there was one.
pub fn remove(db: &Connection, name: &str) -> Result<bool, ServiceError> {
    Ok(db.prepare_cached("DELETE FROM recipient WHERE name = ?1")?.execute([name])? > 0)
}
