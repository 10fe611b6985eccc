//! Named accounts. The secret is sealed before it comes here.

use crate::moment::Moment;
use crate::service_error::ServiceError;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

/// An account, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// What jobs call it.
    pub name: String,
    /// `[DOMAIN\]USER`, as it was written.
    pub account: String,
    /// When it was last set.
    pub changed_at: Moment,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Credential> {
    Ok(Credential { name: row.get(0)?, account: row.get(1)?, changed_at: Moment(row.get(2)?) })
}

/// All, by name.
pub fn list(db: &Connection) -> Result<Vec<Credential>, ServiceError> {
    let mut statement = db.prepare_cached("SELECT name, account, changed_at FROM credential ORDER BY name")?;
    Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
}

/// One.
pub fn get(db: &Connection, name: &str) -> Result<Option<Credential>, ServiceError> {
    let mut statement = db.prepare_cached("SELECT name, account, changed_at FROM credential WHERE name = ?1")?;
    Ok(statement.query_row([name], read).optional()?)
}

/// Its sealed secret.
pub fn secret(db: &Connection, name: &str) -> Result<Option<Vec<u8>>, ServiceError> {
    let mut statement = db.prepare_cached("SELECT secret FROM credential WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// Sets one, replacing what was there.
pub fn put(db: &Connection, credential: &Credential, secret: &[u8]) -> Result<(), ServiceError> {
    let sql = "INSERT INTO credential (name, account, secret, changed_at) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (name) DO UPDATE SET account = ?2, secret = ?3, changed_at = ?4";
    let Credential { name, account, changed_at } = credential;
    db.prepare_cached(sql)?.execute(params![name, account, secret, changed_at.0])?;
    Ok(())
}

/// Removes one. Whether there was one.
pub fn remove(db: &Connection, name: &str) -> Result<bool, ServiceError> {
    Ok(db.prepare_cached("DELETE FROM credential WHERE name = ?1")?.execute([name])? > 0)
}
