//! The tables of `meta.db`, and which format of them a file has.

use octo_core::{Code, Error};
use rusqlite::Connection;
use std::time::Duration;

/// Raised with every change of the tables. A higher one in a file is from a newer program.
pub(super) const FORMAT: i64 = 3;

/// `link`: `folder` and `name` together are the path; paths are bytes. `tag` is NULL for a POSIX link. `detail`, `piece`: see
/// [`details`](super::details). `beyond`: see [`beyond`](super::beyond).
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS link (
        folder BLOB NOT NULL, name BLOB NOT NULL, tag INTEGER, data BLOB NOT NULL, write_time INTEGER NOT NULL,
        PRIMARY KEY (folder, name)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS name (
        path BLOB NOT NULL PRIMARY KEY, original BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS detail (
        path BLOB NOT NULL PRIMARY KEY, object INTEGER NOT NULL, is_whole INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS detail_object ON detail (object);
    CREATE TABLE IF NOT EXISTS piece (
        object INTEGER NOT NULL, part INTEGER NOT NULL, name BLOB NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL);
    CREATE UNIQUE INDEX IF NOT EXISTS piece_place ON piece (object, part, name, at);
    CREATE TRIGGER IF NOT EXISTS detail_gone AFTER DELETE ON detail
        WHEN NOT EXISTS (SELECT 1 FROM detail WHERE object = OLD.object)
        BEGIN DELETE FROM piece WHERE object = OLD.object; END;
    CREATE TABLE IF NOT EXISTS beyond (path BLOB NOT NULL PRIMARY KEY, write_time INTEGER NOT NULL) WITHOUT ROWID;";

/// Makes the database ours: alone, with a log, and with its tables. An inner error says that it cannot be.
pub(super) fn prepare(db: &mut Connection) -> rusqlite::Result<Result<(), Error>> {
    // Who else has it open keeps it open: waiting would not help.
    db.busy_timeout(Duration::ZERO)?;
    // Exclusive before the first access: the log then needs no shared memory file.
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    db.pragma_update(None, "trusted_schema", false)?;
    // A path that is replaced is one that is deleted, for the object it referred to.
    db.pragma_update(None, "recursive_triggers", true)?;
    db.pragma_update(None, "cell_size_check", true)?;
    db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    let format = format_of(db)?;
    if format > FORMAT {
        return Ok(Err(newer(format)));
    }
    // On a full disk a database that is as it should be must open without a write.
    if format < FORMAT {
        let change = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        change.execute_batch(SCHEMA)?;
        change.pragma_update(None, "user_version", FORMAT)?;
        change.commit()?;
    }
    Ok(Ok(()))
}

/// The format of a database; 0 of an empty one.
pub(super) fn format_of(db: &Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// A newer program made it.
pub(super) fn newer(format: i64) -> Error {
    Error::new(Code::NewerFormat, format!("meta.db has format {format}"))
}
