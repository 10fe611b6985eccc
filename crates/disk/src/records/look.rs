//! The records for somebody who only looks: a dry run, or a medium that cannot be written.
//!
//! It must never write, nor make or remove a file beside the database, nor lock anybody out; and never judge a database
//! without its log. What a killed run left in the write-ahead log is part of the database (sqlite.org/wal.html): SQLite
//! reads it into its own memory here, and leaves taking it in to the next run. A rollback journal is left only by whoever
//! died while the database was made (sqlite.org/fileformat.html, 3): nothing was recorded then.

use super::{FORMAT, Purpose, Records, damage, format_of, newer};
use crate::os::database;
use octo_core::{Code, Error};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

const READING: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
/// What is asked of the database: its tables and their columns.
const TABLES: [(&str, &str); 5] = [
    ("link", "folder, name, tag, data, write_time"),
    ("name", "path, original"),
    ("detail", "path, object, is_whole"),
    ("piece", "object, part, name, at, data"),
    ("beyond", "path, write_time"),
];

/// Length and last write time of a file; `None` if it is not there.
type Stamp = Option<(u64, Option<SystemTime>)>;

/// The database and its log, as they were at some moment.
#[derive(Debug)]
pub(super) struct Seen {
    path: PathBuf,
    stamps: [Stamp; 2],
}

impl Seen {
    fn at(path: &Path) -> io::Result<Seen> {
        Ok(Seen { path: path.to_owned(), stamps: [stamp(path)?, stamp(&log(path))?] })
    }

    fn bytes(&self, of: usize) -> u64 {
        self.stamps[of].map_or(0, |(bytes, _)| bytes)
    }

    /// See [`Records::judged`].
    pub(super) fn judged(&self, error: Error) -> Error {
        let is_as_before = Seen::at(&self.path).is_ok_and(|now| now.stamps == self.stamps);
        if is_as_before || error.code != Code::RecordsDamaged {
            return error;
        }
        Error::new(Code::TargetBusy, "meta.db is being changed by a run that is under way")
    }
}

/// Opens the database; `None` if nothing was recorded yet.
pub(super) fn open(path: &Path) -> Result<Option<Records>, Error> {
    let failed = |error: io::Error| Error::new(Code::TargetFailed, format!("looking at meta.db: {error}"));
    let seen = Seen::at(path).map_err(failed)?;
    if seen.bytes(0) == 0 {
        return Ok(None);
    }
    match pages_before(&path.with_extension("db-journal")).map_err(failed)? {
        None => {}
        Some(0) => return Ok(None),
        Some(_) => {
            let detail = "meta.db: another program died while it changed it; a run that is no dry run takes that back";
            return Err(Error::new(Code::TargetFailed, detail));
        }
    }
    match connect(path, seen.bytes(1) > 0) {
        Ok(Ok(db)) => Ok(Some(Records { db, purpose: Purpose::Looking, seen: Some(seen) })),
        Ok(Err(error)) => Err(error),
        Err(error) => Err(seen.judged(damage(&error))),
    }
}

fn connect(path: &Path, has_log: bool) -> rusqlite::Result<Result<Connection, Error>> {
    let db = if has_log {
        let db = database::connect_without_locks(path, READING)?;
        // SQLite then keeps what it knows of the log in its own memory.
        db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
        db
    } else {
        // Without a log SQLite would make one, to read.
        database::connect(uri(path) + "?immutable=1", READING | OpenFlags::SQLITE_OPEN_URI)?
    };
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)?;
    let format = format_of(&db)?;
    if format > FORMAT {
        return Ok(Err(newer(format)));
    }
    if format < FORMAT {
        // What an older program did not have is there for us, and empty.
        db.pragma_update(None, "temp_store", "MEMORY")?;
        for (table, columns) in TABLES {
            let sql = "SELECT count(*) FROM main.sqlite_master WHERE name = ?1";
            if db.query_row(sql, [table], |row| row.get::<_, i64>(0))? == 0 {
                db.execute_batch(&format!("CREATE TEMP TABLE {table} ({columns})"))?;
            }
        }
    }
    Ok(Ok(db))
}

/// How many pages the database had before the change that a rollback journal takes back; `None` if there is none, or one
/// that was not begun.
fn pages_before(journal: &Path) -> io::Result<Option<u32>> {
    let mut head = [0; 20];
    match File::open(journal).and_then(|mut file| file.read_exact(&mut head)) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => Ok(None),
        Err(error) => Err(error),
        Ok(()) if head[..8] != JOURNAL_MAGIC => Ok(None),
        Ok(()) => Ok(Some(u32::from_be_bytes([head[16], head[17], head[18], head[19]]))),
    }
}

fn log(path: &Path) -> PathBuf {
    path.with_extension("db-wal")
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        meta => meta.map(|meta| Some((meta.len(), meta.modified().ok()))),
    }
}

/// The path as SQLite takes it in a URI.
fn uri(path: &Path) -> String {
    let tame = |b: &u8| b.is_ascii_alphanumeric() || b"/._-".contains(b);
    let escaped = |b: &u8| if tame(b) { char::from(*b).to_string() } else { format!("%{b:02X}") };
    "file:".to_owned() + &path.as_os_str().as_encoded_bytes().iter().map(escaped).collect::<String>()
}
