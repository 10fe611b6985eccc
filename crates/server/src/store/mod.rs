//! What the server remembers: one SQLite database in the data directory.
//!
//! [`Store`] opens it, brings it to the newest schema and hands out transactions; the modules beside it are the questions and
//! changes of each table, as functions of a connection, so that one change of several tables is one transaction. Nothing here
//! decides. Times come from the caller. Migrations are numbered and, once released, never edited.

#[cfg(unix)]
pub mod access;
pub mod audit;
pub mod credentials;
pub mod failing;
pub mod jobs;
pub mod outbox;
pub mod prune;
pub mod recipients;
pub mod runs;
pub mod settings;
pub mod slots;

use crate::refusal::{Kind, Refusal};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Each brings the schema one number further.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
    include_str!("migrations/0005.sql"),
];
/// How long a statement waits for somebody else's look into the database.
const BUSY: Duration = Duration::from_secs(10);

/// The open database.
#[derive(Debug)]
pub struct Store {
    db: Mutex<Connection>,
}

impl Store {
    /// Opens or makes the database. One from a newer version is refused, and not touched.
    pub fn open(path: &Path) -> Result<Store, Refusal> {
        let failed = |error: rusqlite::Error| {
            Refusal::new(Kind::Internal, format!("the database {} cannot be opened: {error}", path.display()))
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(path, flags).map_err(failed)?;
        prepare(&db).map_err(failed)?;
        migrate(&mut db, path)?;
        Ok(Store { db: Mutex::new(db) })
    }

    /// Looks something up.
    pub fn read<T>(&self, look: impl FnOnce(&Connection) -> Result<T, Refusal>) -> Result<T, Refusal> {
        look(&self.lock())
    }

    /// Changes something: all of it, on the disk when this returns, or nothing.
    pub fn change<T>(&self, change: impl FnOnce(&Transaction<'_>) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let mut db = self.lock();
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = change(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// A panic while the database was in use has rolled back its transaction.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn prepare(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(BUSY)?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // The history is a promise: a slot that has its record keeps it when the power goes.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)
}

fn migrate(db: &mut Connection, path: &Path) -> Result<(), Refusal> {
    let done = db.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))? as usize;
    if done > MIGRATIONS.len() {
        return Err(Refusal::new(
            Kind::Internal,
            format!(
                "the database {} was written by a newer octobackup (schema {done}, this version knows {}); use that version",
                path.display(),
                MIGRATIONS.len()
            ),
        ));
    }
    for (number, migration) in (1u32..).zip(MIGRATIONS).skip(done) {
        let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        change.execute_batch(migration)?;
        change.pragma_update(None, "user_version", number)?;
        change.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_a_newer_version_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        drop(Store::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(Store::open(&path).unwrap_err().detail.contains("newer"));
        let version: u32 =
            Connection::open(&path).unwrap().pragma_query_value(None, "user_version", |r| r.get(0)).unwrap();
        assert_eq!(version, 99);
    }

    #[test]
    fn a_change_that_is_refused_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        let refused = store.change(|db| {
            settings::put(db, "a", "1")?;
            Err::<(), _>(Refusal::new(Kind::Conflict, "no"))
        });
        assert!(refused.is_err());
        assert_eq!(store.read(|db| settings::get(db, "a")), Ok(None));
        store.change(|db| settings::put(db, "a", "2")).unwrap();
        drop(store);
        let store = Store::open(&folder.path().join("db")).unwrap();
        assert_eq!(store.read(|db| settings::get(db, "a")), Ok(Some("2".into())));
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        std::fs::write(&path, [b'x'; 5000]).unwrap();
        assert!(Store::open(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), [b'x'; 5000]);
    }
}
