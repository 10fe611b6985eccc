//! Opens the records: to change them, or only to look, as a dry run does, or on a medium that cannot be written.
//!
//! Who only looks must never write, nor make or remove a file beside the database, nor lock anybody out; and never judge a database
//! without its log. What a killed run left in the write-ahead log is part of the database (sqlite.org/wal.html): SQLite
//! reads it into its own memory here, and leaves taking it in to the next run. A rollback journal is left only by anyone who
//! died while the database was made (sqlite.org/fileformat.html, 3): nothing was recorded then.

use super::database::{Purpose, Records};
use super::fault::damage;
use super::schema::{FORMAT, format_of, newer, prepare};
use super::seen::Seen;
use crate::os::database;
use octo_core::{Code, Error};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

const WRITING: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);
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

impl Records {
    /// Opens the database at `path`, a file that exists and may be empty. What a killed run left in a log is taken in by
    /// SQLite before anything is judged. Who only looks, as a dry run does, changes no file and locks nobody out; `None`
    /// if nothing was ever recorded.
    pub(crate) fn open(path: &Path, purpose: Purpose) -> Result<Option<Records>, Error> {
        match purpose {
            Purpose::Looking => look(path),
            Purpose::Changing => {
                let mut db = database::connect(path, WRITING).map_err(|error| damage(&error))?;
                // Judged before the database is closed, which asks the disk again.
                let prepared = prepare(&mut db).map_err(|error| damage(&error));
                prepared??;
                Ok(Some(Records { db, purpose: Purpose::Changing, seen: None }))
            }
        }
    }
}

fn look(path: &Path) -> Result<Option<Records>, Error> {
    let failed = |error: io::Error| Error::new(Code::TargetFailed, format!("looking at meta.db: {error}"));
    let seen = Seen::at(path).map_err(failed)?;
    if seen.bytes(0) == 0 {
        return Ok(None);
    }
    match pages_before(&path.with_extension("db-journal")).map_err(failed)? {
        None => {}
        Some(0) => return Ok(None),
        Some(_) => {
            let detail =
                "meta.db: another program died while it changed it; a run that is not a dry run takes that back";
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

/// The path as SQLite takes it in a URI.
fn uri(path: &Path) -> String {
    let tame = |b: &u8| b.is_ascii_alphanumeric() || b"/._-".contains(b);
    let escaped = |b: &u8| if tame(b) { char::from(*b).to_string() } else { format!("%{b:02X}") };
    "file:".to_owned() + &path.as_os_str().as_encoded_bytes().iter().map(escaped).collect::<String>()
}
