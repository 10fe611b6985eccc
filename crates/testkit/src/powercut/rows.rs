//! What a server's data directory says it knows, without the server: each row of its database and each of its small files, so
//! that a new table or file is looked at without being named here.

use super::shell::attempt;
use super::sink;
use super::tree::{self, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// All it knew at one moment.
#[derive(Default)]
pub(super) struct Rows {
    rows: BTreeSet<String>,
    /// The tables, and those that have rows.
    pub tables: BTreeSet<String>,
    pub filled: BTreeSet<String>,
    files: Tree,
}

/// A message in the outbox.
pub(super) struct Message {
    pub run: Option<u64>,
    pub is_taken: bool,
}

impl Message {
    /// A digest and a test tell of no run.
    pub fn tells_of(&self, run: Option<u64>) -> bool {
        self.run.is_none() || self.run == run
    }
}

/// By the messages' numbers.
pub(super) type Outbox = BTreeMap<u64, Message>;

/// Of a directory that a server works in: only what it has made durable, as everybody sees it who opens the database.
pub(super) fn read_at_work(data: &Path, scratch: &Path) -> Result<Rows, String> {
    match databases(data)?.first() {
        // A log is there for as long as anybody works.
        Some(database) if log(database).exists() => read_from(data, Some(database)),
        _ => read(data, scratch),
    }
}

/// Of a directory in which nobody works. Nothing is changed in it: what is read is a copy.
pub(super) fn read(data: &Path, scratch: &Path) -> Result<Rows, String> {
    read_from(data, copy_of_database(data, scratch)?.as_deref())
}

fn read_from(data: &Path, database: Option<&Path>) -> Result<Rows, String> {
    let mut rows = Rows { files: tree::read(data)?, ..Rows::default() };
    // Written while the server works, and never promised: logs, and the lock that says nothing.
    let is_small = |path: &Path| {
        let name = path.to_string_lossy();
        !(name.starts_with("logs") || name.contains(".db") || name == "lock")
    };
    rows.files.retain(|path, node| node.kind == 'f' && is_small(path));
    let Some(database) = database else { return Ok(rows) };
    let said = attempt(Command::new("sqlite3").arg("-readonly").arg(database).arg(".dump"))?;
    for line in String::from_utf8_lossy(&said.stdout).lines() {
        let table_of = |after: &str| after.split([' ', '(']).next().unwrap_or_default().trim_matches('"').to_owned();
        if let Some(after) = line.strip_prefix("CREATE TABLE ") {
            rows.tables.insert(table_of(after));
        } else if let Some(after) = line.strip_prefix("INSERT INTO ") {
            rows.filled.insert(table_of(after));
            rows.rows.insert(line.to_owned());
        }
    }
    Ok(rows)
}

/// What was written, and is perhaps not in the database yet.
fn log(database: &Path) -> PathBuf {
    PathBuf::from(format!("{}-wal", database.display()))
}

/// With its log, so that looking at it changes nothing.
fn copy_of_database(data: &Path, scratch: &Path) -> Result<Option<PathBuf>, String> {
    let found = databases(data)?;
    let Some(database) = found.first() else { return Ok(None) };
    let copy = scratch.join("looked at.db");
    let _ = fs::remove_file(log(&copy));
    let _ = fs::remove_file(format!("{}-shm", copy.display()));
    fs::copy(database, &copy).map_err(|e| e.to_string())?;
    if log(database).exists() {
        fs::copy(log(database), log(&copy)).map_err(|e| e.to_string())?;
    }
    Ok(Some(copy))
}

/// All databases in a folder. None where there is no folder yet.
pub(super) fn databases(folder: &Path) -> Result<Vec<PathBuf>, String> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(paths.filter(|path| path.extension().is_some_and(|it| it == "db")).collect())
}

impl Rows {
    /// Whether a row begins so, as SQLite prints it.
    pub fn has_row(&self, start: &str) -> bool {
        self.rows.iter().any(|row| row.starts_with(&format!("INSERT INTO {start}")))
    }

    /// What is neither changed nor gone at a later moment, and is not here, a moment in between.
    pub fn missing(&self, earlier: &Rows, later: &Rows) -> Option<String> {
        let mut stayed = earlier.rows.intersection(&later.rows);
        if let Some(row) = stayed.find(|row| !self.rows.contains(*row)) {
            return Some(format!("the server's database lost {row}"));
        }
        let mut stayed = earlier.files.iter().filter(|(path, node)| later.files.get(*path) == Some(node));
        let (path, _) = stayed.find(|(path, node)| self.files.get(*path) != Some(node))?;
        Some(format!("the server's data directory lost {}", path.display()))
    }
}

/// Messages that wait and messages that were sent.
pub(super) fn outbox(data: &Path, scratch: &Path) -> Result<Outbox, String> {
    let Some(database) = copy_of_database(data, scratch)? else { return Ok(Outbox::new()) };
    let has = "SELECT count(*) FROM sqlite_master WHERE name = 'outbox'";
    let asked = |sql: &str| attempt(Command::new("sqlite3").arg("-tabs").arg(&database).arg(sql));
    if asked(has)?.stdout.starts_with(b"0") {
        return Ok(Outbox::new());
    }
    let said = asked("SELECT id, next_try_at IS NULL, message FROM outbox")?;
    let message = |line: &str| {
        let mut cells = line.splitn(3, '\t');
        let (id, is_taken, message) = (cells.next()?.parse().ok()?, cells.next()? == "1", cells.next()?);
        Some((id, Message { run: sink::run_in(message), is_taken }))
    };
    Ok(String::from_utf8_lossy(&said.stdout).lines().filter_map(message).collect())
}
