//! Since when which entries fail: what turns "312 problems" into "3 of them are new".
//!
//! An entry is mended only by a run that looked everywhere and did not meet it. A run that failed or was cancelled adds
//! what it met, and mends nothing.

use crate::moment::Moment;
use crate::service_error::ServiceError;
use octo_core::Problem;
use octo_core::path::bytes_to_text;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;

/// What a run met, and how far it looked.
pub struct RunProblems<'a> {
    /// The job.
    pub job: i64,
    /// The run.
    pub run: i64,
    /// Now.
    pub now: Moment,
    /// Problems of entries, in the order in which they are stored.
    pub problems: &'a [Problem],
    /// It looked everywhere, and `problems` are all that it met.
    pub is_all: bool,
}

/// Writes down since when each problem is there; returns how many of the earlier ones are gone.
pub fn update(db: &Connection, found: &RunProblems<'_>) -> Result<i64, ServiceError> {
    let last_good = last_good_at(db, found.job, found.run)?;
    let mut add = db.prepare_cached(
        "INSERT INTO failing (job, path, code, since_run, since_at, last_good_at, seen_run) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?4)
         ON CONFLICT (job, path, code) DO UPDATE SET seen_run = ?4",
    )?;
    let mut mark = db.prepare_cached(
        "UPDATE problem SET (since_run, since_at, last_good_at) =
             (SELECT since_run, since_at, last_good_at FROM failing WHERE job = ?1 AND path = ?2 AND code = ?3)
         WHERE run = ?4 AND number = ?5",
    )?;
    let mut paths = HashSet::new();
    for (number, problem) in (0i64..).zip(found.problems) {
        if problem.code.stops_run() || problem.code.is_note() {
            continue;
        }
        let path = bytes_to_text(problem.path.as_bytes());
        let code = problem.code.as_str();
        add.execute(params![found.job, path, code, found.run, found.now.0, last_good.map(|at| at.0)])?;
        mark.execute(params![found.job, path, code, found.run, number])?;
        paths.insert(path);
    }
    if found.is_all { mend(db, found, &paths) } else { Ok(0) }
}

/// When the last good run of a job began, before this run.
pub fn last_good_at(db: &Connection, job: i64, before: i64) -> Result<Option<Moment>, ServiceError> {
    let sql = "SELECT started_at FROM run WHERE job = ?1 AND id < ?2 AND is_good ORDER BY id DESC LIMIT 1";
    let found: Option<Option<i64>> =
        db.prepare_cached(sql)?.query_row(params![job, before], |row| row.get(0)).optional()?;
    Ok(found.flatten().map(Moment))
}

fn mend(db: &Connection, found: &RunProblems<'_>, paths: &HashSet<String>) -> Result<i64, ServiceError> {
    let mut statement = db.prepare_cached("SELECT path, code FROM failing WHERE job = ?1 AND seen_run != ?2")?;
    let gone: Vec<(String, String)> = statement
        .query_map(params![found.job, found.run], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut remove = db.prepare_cached("DELETE FROM failing WHERE job = ?1 AND path = ?2 AND code = ?3")?;
    let mut mended = 0;
    for (path, code) in gone.iter().filter(|(path, _)| !lies_below(path, paths)) {
        remove.execute(params![found.job, path, code])?;
        mended += 1;
    }
    Ok(mended)
}

/// A folder that could not be read hides what is in it: whether that is fixed is unknown.
fn lies_below(path: &str, folders: &HashSet<String>) -> bool {
    let mut at = path;
    while let Some((folder, _)) = at.rsplit_once('/') {
        if folders.contains(folder) {
            return true;
        }
        at = folder;
    }
    !path.is_empty() && folders.contains("")
}
