//! Single values of the server: its defaults, and what proves its key.

use crate::service_error::ServiceError;
use rusqlite::{Connection, OptionalExtension};

/// A value.
pub fn get(db: &Connection, name: &str) -> Result<Option<String>, ServiceError> {
    Ok(db
        .prepare_cached("SELECT value FROM setting WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?)
}

/// Sets a value.
pub fn put(db: &Connection, name: &str, value: &str) -> Result<(), ServiceError> {
    db.prepare_cached("INSERT OR REPLACE INTO setting VALUES (?1, ?2)")?.execute([name, value])?;
    Ok(())
}

/// Removes a value.
pub fn remove(db: &Connection, name: &str) -> Result<(), ServiceError> {
    db.prepare_cached("DELETE FROM setting WHERE name = ?1")?.execute([name])?;
    Ok(())
}
