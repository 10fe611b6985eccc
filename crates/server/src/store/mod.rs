//! What the server remembers: one SQLite database in the data directory.
//!
//! [`Store`] opens it, brings it to the newest schema and hands out transactions; the modules beside it are the questions and
//! changes of each table, as functions of a connection, so that one change of several tables is one transaction. Nothing here
//! decides. Times come from the caller. Migrations are numbered and, once released, never edited.

#[cfg(unix)]
pub mod access;
pub mod audit;
pub mod credential_uses;
pub mod credentials;
pub mod defaults;
pub mod failing;
pub mod hosts;
pub mod jobs;
pub mod outbox;
pub mod prune;
pub mod recipients;
pub mod runs;
pub mod settings;
pub mod slots;
mod words;

use crate::service_error::{DAMAGED, Kind, NO_ROOM, ServiceError, wants_room};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The one that needs the rows read as well.
const CREDENTIAL_USES: &str = include_str!("migrations/0007.sql");
/// Each brings the schema one number further.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
    include_str!("migrations/0004.sql"),
    include_str!("migrations/0005.sql"),
    include_str!("migrations/0006.sql"),
    CREDENTIAL_USES,
    include_str!("migrations/0008.sql"),
    include_str!("migrations/0009.sql"),
    include_str!("migrations/0010.sql"),
    include_str!("migrations/0011.sql"),
];
/// What the database is called in the data directory.
pub const FILE: &str = "octobackup.db";
/// How long a statement waits for somebody else's look into the database.
const BUSY: Duration = Duration::from_secs(10);

/// The open database.
#[derive(Debug)]
pub struct Store {
    db: Mutex<Connection>,
    path: PathBuf,
    /// Device and number of the file that is open.
    #[cfg(unix)]
    identity: (u64, u64),
    /// A page was found damaged, at any time.
    is_damaged: AtomicBool,
}

impl Store {
    /// Opens or makes the database. One from a newer version is refused, and not touched.
    pub fn open(path: &Path) -> Result<Store, ServiceError> {
        let failed = |error: rusqlite::Error| {
            let why = if wants_room(&error) { NO_ROOM.to_owned() } else { error.to_string() };
            ServiceError::new(Kind::Internal, format!("the database {} cannot be opened: {why}", path.display()))
        };
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(path, flags).map_err(failed)?;
        prepare(&db).map_err(failed)?;
        migrate(&mut db, path)?;
        Ok(Store {
            db: Mutex::new(db),
            #[cfg(unix)]
            identity: identity(path)
                .map_err(|e| ServiceError::new(Kind::Internal, format!("{}: {e}", path.display())))?,
            path: path.to_owned(),
            is_damaged: AtomicBool::new(false),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a page was found damaged, by whatever met it.
    pub fn is_damaged(&self) -> bool {
        self.is_damaged.load(Ordering::Relaxed)
    }

    /// Whether the file is still the one that was opened: what is written to one that was moved away is lost.
    #[cfg(unix)]
    pub fn is_in_place(&self) -> bool {
        identity(&self.path).is_ok_and(|identity| identity == self.identity)
    }

    /// Looks through all pages, sooner than [`Store::prove`] does.
    pub fn look_through(&self) -> Result<(), String> {
        self.examine(&["quick_check"])
    }

    fn met<T>(&self, result: Result<T, ServiceError>) -> Result<T, ServiceError> {
        if result.as_ref().is_err_and(|error| error.detail == DAMAGED) {
            self.is_damaged.store(true, Ordering::Relaxed);
        }
        result
    }

    /// Looks something up.
    pub fn read<T>(&self, look: impl FnOnce(&Connection) -> Result<T, ServiceError>) -> Result<T, ServiceError> {
        let found = look(&self.lock());
        self.met(found)
    }

    /// Changes something: all of it, on the disk when this returns, or nothing.
    pub fn change<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let whole = || -> Result<T, ServiceError> {
            let mut db = self.lock();
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = change(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        self.met(whole())
    }

    /// Does a change and takes it back: what it would come to.
    pub fn dry_run<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let mut db = self.lock();
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = change(&transaction)?;
        transaction.rollback()?;
        Ok(done)
    }

    /// The folder that it is in.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Copies all of it, as it is at one moment, into an empty file, without blocking others.
    pub fn copy_to(&self, file: &Path) -> Result<(), ServiceError> {
        let name = file.to_str().ok_or_else(|| ServiceError::new(Kind::Invalid, "the path must be UTF-8"))?;
        self.beside()?.execute("VACUUM INTO ?1", [name])?;
        Ok(())
    }

    /// Reads every page and row, and says what is damaged, without blocking others.
    pub fn prove(&self) -> Result<(), String> {
        self.examine(&["integrity_check", "foreign_key_check"])
    }

    fn examine(&self, checks: &[&str]) -> Result<(), String> {
        let look = || -> Result<Vec<String>, ServiceError> {
            let db = self.beside()?;
            let mut found = Vec::new();
            for check in checks {
                db.pragma_query(None, check, |row| {
                    let line: String = row.get(0)?;
                    found.push(if *check == "foreign_key_check" {
                        format!("a row of {line} belongs to nothing")
                    } else {
                        line
                    });
                    Ok(())
                })?;
            }
            Ok(found)
        };
        let mut found = self.met(look()).map_err(|error| format!("it cannot be read: {}", error.detail))?;
        found.retain(|line| line != "ok");
        if found.is_empty() {
            return Ok(());
        }
        self.is_damaged.store(true, Ordering::Relaxed);
        Err(format!("it is damaged: {}", found.join("; ")))
    }

    /// Another look into the same file.
    fn beside(&self) -> Result<Connection, ServiceError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(&self.path, flags)?;
        db.busy_timeout(BUSY)?;
        Ok(db)
    }

    /// A panic while the database was in use has rolled back its transaction.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).map(|meta| (meta.dev(), meta.ino()))
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

fn migrate(db: &mut Connection, path: &Path) -> Result<(), ServiceError> {
    let done = db.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))? as usize;
    if done > MIGRATIONS.len() {
        return Err(ServiceError::new(
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
        if *migration == CREDENTIAL_USES {
            credential_uses::fill(&change)?;
        }
        change.pragma_update(None, "user_version", number)?;
        change.commit()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunKind;

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
    fn a_database_of_every_schema_opens_and_keeps_what_it_holds() {
        for schema in 1..=u32::try_from(MIGRATIONS.len()).unwrap() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("db");
            let old = Connection::open(&path).unwrap();
            MIGRATIONS[..schema as usize].iter().for_each(|migration| old.execute_batch(migration).unwrap());
            old.execute_batch(include_str!("migrations/some_rows.sql")).unwrap();
            if schema >= 8 {
                // Its dry runs are written as such.
                old.execute_batch("UPDATE run SET dry_run = 1 WHERE id = 2").unwrap();
            }
            old.pragma_update(None, "user_version", schema).unwrap();
            drop(old);
            let store = Store::open(&path).unwrap();
            let looked = store.read(|db| {
                let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
                assert_eq!(version as usize, MIGRATIONS.len(), "from {schema}");
                let job = jobs::list(db)?.remove(0);
                let run = runs::last_ended(db, job.id)?.expect("the run");
                assert!(run.is_good() && run.kind == RunKind::Backup, "from {schema}");
                let dry = runs::get(db, 2)?.expect("the dry run");
                assert!(!dry.is_backup() && runs::ids_that_are(db, "is_backup")? == [1].into(), "from {schema}");
                let rows = (audit::list(db, None, 9)?.len(), credentials::list(db)?.len());
                Ok((job.spec.name, run.copied_files, settings::get(db, "defaults")?, rows))
            });
            let defaults = Some(r#"{"retries":7}"#.to_owned());
            assert_eq!(looked, Ok(("fs1".to_owned(), 3, defaults, (1, 1))), "from {schema}");
        }
    }

    #[test]
    fn a_change_that_is_refused_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        let refused = store.change(|db| {
            settings::put(db, "a", "1")?;
            Err::<(), _>(ServiceError::new(Kind::Conflict, "no"))
        });
        assert!(refused.is_err());
        assert_eq!(store.read(|db| settings::get(db, "a")), Ok(None));
        store.change(|db| settings::put(db, "a", "2")).unwrap();
        drop(store);
        let store = Store::open(&folder.path().join("db")).unwrap();
        assert_eq!(store.read(|db| settings::get(db, "a")), Ok(Some("2".into())));
    }

    #[test]
    fn a_copy_is_what_was_there_at_that_moment_and_damage_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("db"), folder.path().join("copy"));
        let store = Store::open(&path).unwrap();
        let fill = |db: &Transaction<'_>| {
            (0..500).try_for_each(|n| settings::put(db, &format!("setting-{n:03}"), &"x".repeat(200)))
        };
        store.change(fill).unwrap();
        std::fs::write(&copy, "").unwrap();
        store.copy_to(&copy).unwrap();
        store.change(|db| settings::put(db, "setting-007", "later")).unwrap();
        assert_eq!(store.prove(), Ok(()));
        assert!(store.copy_to(&copy).is_err(), "it was written over a copy");
        drop(store);
        let copied = Store::open(&copy).unwrap();
        assert_eq!(copied.read(|db| settings::get(db, "setting-007")), Ok(Some("x".repeat(200))));
        assert_eq!(copied.prove(), Ok(()));
        drop(copied);
        let mut bytes = std::fs::read(&copy).unwrap();
        let middle = bytes.len() / 2 / 4096 * 4096;
        bytes[middle..middle + 4096].fill(0xa5);
        std::fs::write(&copy, bytes).unwrap();
        assert!(Store::open(&copy).unwrap().prove().is_err());
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
