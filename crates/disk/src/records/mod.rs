//! `meta/meta.db`: what the filesystem itself cannot hold (links of another system, full names of cut ones, metadata).
//!
//! Part of the backup, not a cache. Every change is a transaction of its own in a write-ahead log, so a killed process
//! loses none of them; [`Records::settle`] makes them durable. It must never touch a file of the mirror. Whoever
//! has it open is alone with it: a second opener gets [`Code::TargetBusy`].

mod beyond;
mod details;
mod look;

pub(crate) use details::{Detail, ObjectWriter, Sort};

use crate::os::database::connect;
use octo_core::{Code, Error, LinkTarget, LinkType, Name, RelPath, Timestamp};
use rusqlite::{CachedStatement, Connection, ErrorCode, OpenFlags, OptionalExtension, Params, Row, ffi, params};
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// Raised with every change of the tables. A higher one in a file is from a newer program.
const FORMAT: i64 = 3;

const WRITING: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// `folder` and `name` together are the path; paths are bytes. `tag` is NULL for a POSIX link.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS link (
        folder BLOB NOT NULL, name BLOB NOT NULL, tag INTEGER, data BLOB NOT NULL, write_time INTEGER NOT NULL,
        PRIMARY KEY (folder, name)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS name (
        path BLOB NOT NULL PRIMARY KEY, original BLOB NOT NULL) WITHOUT ROWID;";

/// A link that is recorded, not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordedLink {
    pub(crate) target: LinkTarget,
    pub(crate) write: Timestamp,
}

/// What the database is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Looking,
    Changing,
}

/// The open database.
#[derive(Debug)]
pub(crate) struct Records {
    db: Connection,
    purpose: Purpose,
    /// The files as they were when they were opened to be looked at.
    seen: Option<look::Seen>,
}

impl Records {
    /// Opens the database at `path`, a file that exists and may be empty. What a killed run left in a log is taken in by
    /// SQLite before anything is judged. Who only looks, as a dry run does, changes no file and locks nobody out; `None`
    /// if nothing was ever recorded.
    pub(crate) fn open(path: &Path, purpose: Purpose) -> Result<Option<Records>, Error> {
        match purpose {
            Purpose::Looking => look::open(path),
            Purpose::Changing => {
                let mut db = connect(path, WRITING).map_err(|error| damage(&error))?;
                // Judged before the database is closed, which asks the disk again.
                let prepared = Records::prepare(&mut db).map_err(|error| damage(&error));
                prepared??;
                Ok(Some(Records { db, purpose: Purpose::Changing, seen: None }))
            }
        }
    }

    /// Whether it was opened for that, or for more.
    pub(crate) fn serves(&self, purpose: Purpose) -> bool {
        purpose == Purpose::Looking || self.purpose == Purpose::Changing
    }

    /// The error, or, where somebody else changed the files since they were opened to be looked at, that this is so: what
    /// is read then need not fit together, and proves no damage.
    pub(crate) fn judged(&self, error: Error) -> Error {
        self.seen.as_ref().map_or(error.clone(), |seen| seen.judged(error))
    }

    fn prepare(db: &mut Connection) -> rusqlite::Result<Result<(), Error>> {
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
            change.execute_batch(details::SCHEMA)?;
            change.execute_batch(beyond::SCHEMA)?;
            change.pragma_update(None, "user_version", FORMAT)?;
            change.commit()?;
        }
        Ok(Ok(()))
    }

    /// The link recorded at `path`.
    pub(crate) fn link(&self, path: &RelPath) -> Result<Option<RecordedLink>, Error> {
        let (folder, name) = split(path);
        self.one(
            "SELECT tag, data, write_time FROM link WHERE folder = ?1 AND name = ?2",
            params![folder, name],
            |row| {
                let kind = row.get::<_, Option<u32>>(0)?.map_or(LinkType::Posix, LinkType::Windows);
                Ok(RecordedLink { target: LinkTarget { kind, data: row.get(1)? }, write: Timestamp(row.get(2)?) })
            },
        )
    }

    /// Records a link, replacing one that is there.
    pub(crate) fn put_link(&self, path: &RelPath, link: &LinkTarget, write: Timestamp) -> Result<(), Error> {
        let (folder, name) = split(path);
        let tag = match link.kind {
            LinkType::Posix => None,
            LinkType::Windows(tag) => Some(tag),
        };
        self.change(
            "INSERT OR REPLACE INTO link VALUES (?1, ?2, ?3, ?4, ?5)",
            params![folder, name, tag, link.data, write.0],
        )?;
        Ok(())
    }

    /// Whether there was a link to forget.
    pub(crate) fn remove_link(&self, path: &RelPath) -> Result<bool, Error> {
        let (folder, name) = split(path);
        self.change("DELETE FROM link WHERE folder = ?1 AND name = ?2", params![folder, name])
    }

    /// Whether there is a link whose time could be set.
    pub(crate) fn set_link_time(&self, path: &RelPath, write: Timestamp) -> Result<bool, Error> {
        let (folder, name) = split(path);
        self.change("UPDATE link SET write_time = ?3 WHERE folder = ?1 AND name = ?2", params![folder, name, write.0])
    }

    /// Up to `count` links of one folder by name, after the name `after`.
    pub(crate) fn links_in(
        &self,
        folder: &RelPath,
        after: &[u8],
        count: usize,
    ) -> Result<Vec<(Name, Timestamp)>, Error> {
        let sql = "SELECT name, write_time FROM link WHERE folder = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
        let limit = i64::try_from(count).unwrap_or(i64::MAX);
        let rows = self.prepared(sql).and_then(|mut statement| {
            let row = |row: &Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, Timestamp(row.get(1)?)));
            statement.query_map(params![folder.as_bytes(), after, limit], row)?.collect::<Result<Vec<_>, _>>()
        });
        let name = |(name, write): (Vec<u8>, _)| match Name::new(name) {
            Ok(name) => Ok((name, write)),
            Err(why) => Err(Error::new(Code::RecordsDamaged, format!("meta.db: a link's name: {}", why.reason()))),
        };
        rows.map_err(|error| damage(&error))?.into_iter().map(name).collect()
    }

    /// Whether any link is recorded in the folder, not counting its subfolders.
    pub(crate) fn has_links_in(&self, folder: &RelPath) -> Result<bool, Error> {
        let found = self.one("SELECT 1 FROM link WHERE folder = ?1 LIMIT 1", params![folder.as_bytes()], |_| Ok(()))?;
        Ok(found.is_some())
    }

    /// Makes the link at `from` the link at `to` as well, replacing one that is there.
    pub(crate) fn copy_link(&self, from: &RelPath, to: &RelPath) -> Result<bool, Error> {
        let ((folder, name), (to_folder, to_name)) = (split(from), split(to));
        let sql = "INSERT OR REPLACE INTO link SELECT ?3, ?4, tag, data, write_time FROM link WHERE folder = ?1 AND name = ?2";
        self.change(sql, params![folder, name, to_folder, to_name])
    }

    /// Renames a link, replacing one that is there.
    pub(crate) fn move_link(&self, from: &RelPath, to: &RelPath) -> Result<bool, Error> {
        let ((folder, name), (to_folder, to_name)) = (split(from), split(to));
        let sql = "UPDATE OR REPLACE link SET folder = ?3, name = ?4 WHERE folder = ?1 AND name = ?2";
        self.change(sql, params![folder, name, to_folder, to_name])
    }

    /// Remembers the full name of the entry at `path`.
    pub(crate) fn put_name(&self, path: &RelPath, original: &[u8]) -> Result<(), Error> {
        self.change("INSERT OR REPLACE INTO name VALUES (?1, ?2)", params![path.as_bytes(), original])?;
        Ok(())
    }

    /// The full name of the entry at `path`.
    pub(crate) fn name(&self, path: &RelPath) -> Result<Option<Vec<u8>>, Error> {
        self.one("SELECT original FROM name WHERE path = ?1", params![path.as_bytes()], |row| row.get(0))
    }

    /// An entry has one more path: so has its full name, and its metadata.
    pub(crate) fn entry_linked(&self, from: &RelPath, to: &RelPath) -> Result<(), Error> {
        self.copy_detail(from, to)?;
        self.copy_time(from, to)?;
        let sql = "INSERT OR REPLACE INTO name SELECT ?2, original FROM name WHERE path = ?1";
        self.change(sql, params![from.as_bytes(), to.as_bytes()])?;
        Ok(())
    }

    /// An entry has another path: so has its full name, and its metadata.
    pub(crate) fn entry_renamed(&self, from: &RelPath, to: &RelPath) -> Result<(), Error> {
        self.move_detail(from, to)?;
        self.move_time(from, to)?;
        self.change("UPDATE OR REPLACE name SET path = ?2 WHERE path = ?1", params![from.as_bytes(), to.as_bytes()])?;
        Ok(())
    }

    /// An entry is gone: so is its full name, and its metadata.
    pub(crate) fn entry_removed(&self, path: &RelPath) -> Result<(), Error> {
        self.remove_detail(path)?;
        self.keep_time_beyond(path, None)?;
        self.change("DELETE FROM name WHERE path = ?1", params![path.as_bytes()])?;
        Ok(())
    }

    /// A folder has another path: so has everything recorded below it. All or nothing.
    pub(crate) fn move_folder(&mut self, from: &RelPath, to: &RelPath) -> Result<(), Error> {
        // `||` works on text; the casts change no byte.
        let moved =
            |column: &str| format!("CAST(CAST(?2 AS TEXT) || CAST(substr({column}, length(?1) + 1) AS TEXT) AS BLOB)");
        let links = format!(
            "UPDATE OR REPLACE link SET folder = {} WHERE folder = ?1 OR (folder > ?3 AND folder < ?4)",
            moved("folder")
        );
        let names = format!("UPDATE OR REPLACE name SET path = {} WHERE path > ?3 AND path < ?4", moved("path"));
        let details = format!("UPDATE OR REPLACE detail SET path = {} WHERE path > ?3 AND path < ?4", moved("path"));
        let times = format!("UPDATE OR REPLACE beyond SET path = {} WHERE path > ?3 AND path < ?4", moved("path"));
        let (low, high) = below(from);
        let values = params![from.as_bytes(), to.as_bytes(), low, high];
        let mut work = || {
            let change = self.db.transaction()?;
            change.execute(&links, values)?;
            change.execute(&names, values)?;
            change.execute(&details, values)?;
            change.execute(&times, values)?;
            change.commit()
        };
        work().map_err(|error| damage(&error))
    }

    /// Makes everything durable: the log is synced, taken into the database, and that is synced.
    pub(crate) fn settle(&self) -> Result<(), Error> {
        if self.purpose == Purpose::Looking {
            return Ok(());
        }
        let busy: i64 = self
            .db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(|error| damage(&error))?;
        if busy == 0 { Ok(()) } else { Err(Error::new(Code::TargetBusy, "meta.db is in use")) }
    }

    fn prepared(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.db.prepare_cached(sql)
    }

    fn one<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Error> {
        let row = self.prepared(sql).and_then(|mut statement| statement.query_row(values, read).optional());
        row.map_err(|error| damage(&error))
    }

    /// Whether any row was changed.
    fn change(&self, sql: &str, values: impl Params) -> Result<bool, Error> {
        let rows = self.prepared(sql).and_then(|mut statement| statement.execute(values));
        rows.map(|rows| rows > 0).map_err(|error| damage(&error))
    }
}

/// Between these two lie the paths below a folder: between `a/` and `a0`, the byte after `/`.
fn below(folder: &RelPath) -> (Vec<u8>, Vec<u8>) {
    let end = |end: u8| [folder.as_bytes(), &[end]].concat();
    (end(b'/'), end(b'/' + 1))
}

/// The folder and the name of a path, as bytes.
fn split(path: &RelPath) -> (&[u8], &[u8]) {
    let bytes = path.as_bytes();
    match bytes.iter().rposition(|&b| b == b'/') {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (b"", bytes),
    }
}

fn format_of(db: &Connection) -> rusqlite::Result<i64> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn newer(format: i64) -> Error {
    Error::new(Code::NewerFormat, format!("meta.db has format {format}"))
}

/// Whether SQLite failed with this extended code for want of room. It knows a disk that is full, but calls a quota that is
/// used up, or a file that cannot be made any more, a failure of the system. Asked at once, on the thread that met it: the
/// system keeps only the cause of the last failure.
pub fn is_want_of_room(extended_code: i32) -> bool {
    let last = std::io::Error::last_os_error().kind();
    let is_full = matches!(last, ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    match extended_code & 0xFF {
        ffi::SQLITE_FULL => true,
        ffi::SQLITE_IOERR => is_full && !matches!(extended_code, ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ),
        ffi::SQLITE_CANTOPEN => is_full,
        _ => false,
    }
}

fn damage(error: &rusqlite::Error) -> Error {
    let wants_room = error.sqlite_error().is_some_and(|error| is_want_of_room(error.extended_code));
    let code = match error.sqlite_error_code() {
        _ if wants_room => Code::NoSpace,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Code::TargetBusy,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Code::RecordsDamaged,
        // Rows of another type than ours, or tables of another shape.
        None | Some(ErrorCode::Unknown | ErrorCode::TypeMismatch | ErrorCode::ConstraintViolation) => {
            Code::RecordsDamaged
        }
        Some(_) => Code::TargetFailed,
    };
    Error::new(code, format!("meta.db: {error}"))
}
