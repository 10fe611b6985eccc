//! Named accounts. The secret is sealed before it comes here.

use super::credential_uses;
use crate::moment::Moment;
use crate::service_error::ServiceError;
use octo_api::credential::Credential;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Without its uses, which are in rows of their own.
fn read(row: &Row<'_>) -> rusqlite::Result<Credential> {
    Ok(Credential { name: row.get(0)?, account: row.get(1)?, changed_at: Moment(row.get(2)?), uses: Vec::new() })
}

fn whole(db: &Connection, credential: Credential) -> Result<Credential, ServiceError> {
    Ok(Credential { uses: credential_uses::list(db, &credential.name)?, ..credential })
}

/// All, by name.
pub fn list(db: &Connection) -> Result<Vec<Credential>, ServiceError> {
    let mut statement = db.prepare_cached("SELECT name, account, changed_at FROM credential ORDER BY name")?;
    let all = statement.query_map([], read)?.collect::<Result<Vec<_>, _>>()?;
    all.into_iter().map(|credential| whole(db, credential)).collect()
}

/// One.
pub fn get(db: &Connection, name: &str) -> Result<Option<Credential>, ServiceError> {
    let mut statement = db.prepare_cached("SELECT name, account, changed_at FROM credential WHERE name = ?1")?;
    statement.query_row([name], read).optional()?.map(|credential| whole(db, credential)).transpose()
}

/// Its sealed secret.
pub fn secret(db: &Connection, name: &str) -> Result<Option<Vec<u8>>, ServiceError> {
    let mut statement = db.prepare_cached("SELECT secret FROM credential WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

/// Sets one, replacing what was there; its uses stay.
pub fn put(db: &Connection, credential: &Credential, secret: &[u8]) -> Result<(), ServiceError> {
    let sql = "INSERT INTO credential (name, account, secret, changed_at) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (name) DO UPDATE SET account = ?2, secret = ?3, changed_at = ?4";
    let Credential { name, account, changed_at, .. } = credential;
    db.prepare_cached(sql)?.execute(params![name, account, secret, changed_at.0])?;
    Ok(())
}

/// Removes one. Whether there was one.
pub fn remove(db: &Connection, name: &str) -> Result<bool, ServiceError> {
    Ok(db.prepare_cached("DELETE FROM credential WHERE name = ?1")?.execute([name])? > 0)
}
