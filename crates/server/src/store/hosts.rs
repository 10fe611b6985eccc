//! Machines with an agent: who may pair, who is paired, whose certificates count.

use crate::service_error::ServiceError;
use octo_agent::Host;
use rusqlite::{Connection, params};

/// All, in the order in which they were invited.
pub fn list(db: &Connection) -> Result<Vec<Host>, ServiceError> {
    let mut statement = db.prepare_cached("SELECT kept FROM host ORDER BY place")?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    rows.map(|kept| Ok(serde_json::from_str(&kept?)?)).collect()
}

/// Changes them, in the caller's transaction. `change` may change hosts and add some to the end.
pub fn change<T, E>(
    db: &Connection,
    change: impl FnOnce(&mut Vec<Host>) -> Result<T, E>,
) -> Result<Result<T, E>, ServiceError> {
    let mut hosts = list(db)?;
    let changed = change(&mut hosts);
    if changed.is_ok() {
        put(db, &hosts)?;
    }
    Ok(changed)
}

/// Sets them all.
pub fn put(db: &Connection, hosts: &[Host]) -> Result<(), ServiceError> {
    let sql = "INSERT INTO host (place, name, kept) VALUES (?1, ?2, ?3)
               ON CONFLICT (place) DO UPDATE SET name = ?2, kept = ?3 WHERE kept <> ?3";
    let mut statement = db.prepare_cached(sql)?;
    for (place, host) in (1i64..).zip(hosts) {
        statement.execute(params![place, host.name, serde_json::to_string(host)?])?;
    }
    Ok(())
}
