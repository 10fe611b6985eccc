//! Runs: queued, running, finished. A row that says `running` is the claim; a server that finds one without a thread ends it.

use super::words::{optional_word, word};
use crate::moment::Moment;
use crate::run::{Ended, EntryProblem, Reason, Run, RunKind, State};
use crate::run_overrides::RunOverrides;
use crate::service_error::ServiceError;
use octo_api::Word;
use octo_api::restore::Restore;
use octo_api::summary::{Past, SummaryExample};
use octo_core::path::bytes_to_text;
use octo_core::{Problem, RunReport};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeSet;

const COLUMNS: &str = "id, job, job_name, reason, attempt, once, asked_by, state, outcome, ignores_blackouts, queued_at, \
     not_before, started_at, finished_at, duration_ms, copied_files, copied_bytes, deleted_files, problems, kind, \
     restore";

/// A run that says how its job stands.
const REAL: &str = "is_backup AND started_at IS NOT NULL";

/// A run that is to come.
#[derive(Debug, Clone)]
pub struct NewRun<'a> {
    /// The job.
    pub job: i64,
    /// Its name.
    pub job_name: &'a str,
    /// What it does.
    pub kind: RunKind,
    /// Of a restore: what, and where to.
    pub restore: Option<&'a Restore>,
    /// Why there is a run.
    pub reason: Reason,
    /// Counts the tries, from 0.
    pub attempt: u32,
    /// What is for this run only.
    pub once: &'a RunOverrides,
    /// Who asked for it.
    pub asked_by: &'a str,
    /// It starts even in a blackout.
    pub ignores_blackouts: bool,
    /// Now.
    pub queued_at: Moment,
    /// It does not start before.
    pub not_before: Moment,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        id: row.get(0)?,
        job_id: row.get(1)?,
        job: row.get(2)?,
        reason: word(row, 3)?,
        attempt: row.get(4)?,
        once: json(row, 5)?,
        asked_by: row.get(6)?,
        state: word(row, 7)?,
        outcome: optional_word(row, 8)?,
        ignores_blackouts: row.get(9)?,
        queued_at: Moment(row.get(10)?),
        not_before: Moment(row.get(11)?),
        started_at: row.get::<_, Option<i64>>(12)?.map(Moment),
        finished_at: row.get::<_, Option<i64>>(13)?.map(Moment),
        duration_ms: row.get(14)?,
        copied_files: row.get(15)?,
        copied_bytes: row.get(16)?,
        deleted_files: row.get(17)?,
        problems: row.get(18)?,
        kind: word(row, 19)?,
        restore: optional_json(row, 20)?,
    })
}

/// What is for one run only.
fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(e)))
}

fn optional_json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => json(row, column).map(Some),
    }
}

/// Queues a run; returns its id.
pub fn queue(db: &Connection, run: &NewRun<'_>) -> Result<i64, ServiceError> {
    let sql = "INSERT INTO run (job, job_name, reason, attempt, once, asked_by, state, ignores_blackouts, queued_at, not_before,
                                dry_run, kind, restore)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'queued', ?7, ?8, ?9, ?10, ?11, ?12)";
    db.prepare_cached(sql)?.execute(params![
        run.job,
        run.job_name,
        run.reason.word(),
        run.attempt,
        serde_json::to_string(run.once)?,
        run.asked_by,
        run.ignores_blackouts,
        run.queued_at.0,
        run.not_before.0,
        run.once.dry_run,
        run.kind.word(),
        run.restore.map(serde_json::to_string).transpose()?,
    ])?;
    Ok(db.last_insert_rowid())
}

/// One run.
pub fn get(db: &Connection, id: i64) -> Result<Option<Run>, ServiceError> {
    Ok(db.prepare_cached(&format!("SELECT {COLUMNS} FROM run WHERE id = ?1"))?.query_row([id], read).optional()?)
}

/// All that are remembered.
pub fn ids(db: &Connection) -> Result<BTreeSet<i64>, ServiceError> {
    let mut statement = db.prepare_cached("SELECT id FROM run")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

/// All that wait or run, the oldest first.
pub fn unfinished(db: &Connection) -> Result<Vec<Run>, ServiceError> {
    let sql = format!("SELECT {COLUMNS} FROM run WHERE state != 'finished' ORDER BY id");
    Ok(db.prepare_cached(&sql)?.query_map([], read)?.collect::<Result<_, _>>()?)
}

/// The newest first, of one job or of all; those before `before`.
pub fn list(db: &Connection, job: Option<&str>, before: Option<i64>, limit: u32) -> Result<Vec<Run>, ServiceError> {
    let of_job = if job.is_some() { "job_name = ?1" } else { "?1 IS NULL" };
    let sql = format!("SELECT {COLUMNS} FROM run WHERE {of_job} AND id < ?2 ORDER BY id DESC LIMIT ?3");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![job, before.unwrap_or(i64::MAX), limit], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How a job stands: its newest run that has ended, however long ago. Dry runs and what never began do not count.
pub fn last_ended(db: &Connection, job: i64) -> Result<Option<Run>, ServiceError> {
    let sql =
        format!("SELECT {COLUMNS} FROM run WHERE job = ?1 AND {REAL} AND state = 'finished' ORDER BY id DESC LIMIT 1");
    Ok(db.prepare_cached(&sql)?.query_row([job], read).optional()?)
}

/// What a job has under way or waiting, dry runs too; what is under way first.
pub fn current(db: &Connection, job: i64) -> Result<Vec<Run>, ServiceError> {
    let sql = format!("SELECT {COLUMNS} FROM run WHERE state != 'finished' AND job = ?1 ORDER BY state = 'queued', id");
    Ok(db.prepare_cached(&sql)?.query_map([job], read)?.collect::<Result<_, _>>()?)
}

/// Runs of a job that ended in `(since, until]`, counted up to `count_max`.
pub fn count_ended(
    db: &Connection,
    job: i64,
    since: Moment,
    until: Moment,
    count_max: u32,
) -> Result<u32, ServiceError> {
    let sql = format!(
        "SELECT COUNT(*) FROM (SELECT 1 FROM run WHERE job = ?1 AND {REAL} AND finished_at > ?2 AND finished_at <= ?3 LIMIT ?4)"
    );
    Ok(db.prepare_cached(&sql)?.query_row(params![job, since.0, until.0, count_max], |row| row.get(0))?)
}

/// How long the last good run of a job took.
pub fn usual_duration_ms(db: &Connection, job: i64) -> Result<Option<i64>, ServiceError> {
    let sql = "SELECT duration_ms FROM run WHERE job = ?1 AND is_good ORDER BY id DESC LIMIT 1";
    Ok(db.prepare_cached(sql)?.query_row([job], |row| row.get(0)).optional()?)
}

/// Claims a queued run. `false` if it is not queued any more.
pub fn claim(db: &Connection, id: i64, now: Moment) -> Result<bool, ServiceError> {
    let sql = "UPDATE run SET state = 'running', started_at = ?2 WHERE id = ?1 AND state = 'queued'";
    Ok(db.prepare_cached(sql)?.execute(params![id, now.0])? > 0)
}

/// Ends a run that was queued or running. `false` if it had ended already.
pub fn finish(db: &Connection, id: i64, outcome: Ended, report: &RunReport, now: Moment) -> Result<bool, ServiceError> {
    let sql = "UPDATE run SET state = 'finished', outcome = ?2, report = ?3, finished_at = ?4, duration_ms = ?5,
               copied_files = ?6, copied_bytes = ?7, deleted_files = ?8, problems = ?9
               WHERE id = ?1 AND state != 'finished'";
    let counts = &report.counts;
    let changed = db.prepare_cached(sql)?.execute(params![
        id,
        outcome.word(),
        serde_json::to_string(report)?,
        now.0,
        report.duration_ms.cast_signed(),
        (counts.created + counts.replaced).cast_signed(),
        counts.copied_bytes.cast_signed(),
        counts.deleted.cast_signed(),
        counts.problems.cast_signed(),
    ])?;
    Ok(changed > 0)
}

/// The report of a finished run.
pub fn report(db: &Connection, id: i64) -> Result<Option<RunReport>, ServiceError> {
    let mut statement = db.prepare_cached("SELECT report FROM run WHERE id = ?1")?;
    let text: Option<Option<String>> = statement.query_row([id], |row| row.get(0)).optional()?;
    Ok(text.flatten().map(|text| serde_json::from_str(&text)).transpose()?)
}

/// The deletions that a job held when it last looked everywhere: the id of their plan.
pub fn held_plan(db: &Connection, job: i64) -> Result<Option<String>, ServiceError> {
    let sql = "SELECT report FROM run WHERE job = ?1 AND is_good ORDER BY id DESC LIMIT 1";
    let text: Option<Option<String>> = db.prepare_cached(sql)?.query_row([job], |row| row.get(0)).optional()?;
    let report: Option<RunReport> = text.flatten().map(|text| serde_json::from_str(&text)).transpose()?;
    Ok(report.and_then(|report| report.held_plan))
}

/// Adds the problems of a run.
pub fn add_problems(db: &Connection, run: i64, problems: &[Problem]) -> Result<(), ServiceError> {
    let mut statement =
        db.prepare_cached("INSERT INTO problem (run, number, code, path, detail) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for (number, problem) in problems.iter().enumerate() {
        let path = bytes_to_text(problem.path.as_bytes());
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        statement.execute(params![run, number, problem.code.as_str(), path, problem.detail])?;
    }
    Ok(())
}

/// Problems of a run, from the `after`th on.
pub fn problems(db: &Connection, run: i64, after: i64, limit: u32) -> Result<Vec<EntryProblem>, ServiceError> {
    let sql = "SELECT code, path, detail FROM problem WHERE run = ?1 AND number >= ?2 ORDER BY number LIMIT ?3";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![run, after, limit], |row| {
        Ok(EntryProblem { code: row.get(0)?, path: row.get(1)?, detail: row.get(2)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Problems of the run before that are gone.
pub fn set_mended(db: &Connection, id: i64, mended: i64) -> Result<(), ServiceError> {
    db.prepare_cached("UPDATE run SET mended = ?2 WHERE id = ?1")?.execute([id, mended])?;
    Ok(())
}

/// Problems of the run before that are gone.
pub fn mended(db: &Connection, id: i64) -> Result<i64, ServiceError> {
    Ok(db.prepare_cached("SELECT mended FROM run WHERE id = ?1")?.query_row([id], |row| row.get(0))?)
}

/// The last good runs before `before`, the oldest first.
pub fn past(db: &Connection, job: i64, before: i64, limit: u32) -> Result<Vec<Past>, ServiceError> {
    let sql = "SELECT started_at, duration_ms, copied_bytes FROM run WHERE job = ?1 AND id < ?2
               AND is_good AND started_at IS NOT NULL ORDER BY id DESC LIMIT ?3";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![job, before, limit], |row| {
        let number = |column| row.get::<_, i64>(column).map(|number| number.max(0).cast_unsigned());
        Ok(Past { started_at: Moment(row.get(0)?), duration_ms: number(1)?, copied_bytes: number(2)? })
    })?;
    let mut past: Vec<Past> = rows.collect::<Result<_, _>>()?;
    past.reverse();
    Ok(past)
}

/// How many problems of each cause were new in this run, and how many were there before.
pub fn new_and_still(db: &Connection, run: i64) -> Result<Vec<(String, u64, u64)>, ServiceError> {
    let sql = "SELECT code, COALESCE(SUM(since_run = run), 0), COALESCE(SUM(since_run != run), 0) FROM problem
               WHERE run = ?1 GROUP BY code";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([run], |row| {
        let number = |column| row.get::<_, i64>(column).map(|number| number.max(0).cast_unsigned());
        Ok((row.get(0)?, number(1)?, number(2)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Problems of one cause, the new ones first, then those that are there longest.
pub fn examples(db: &Connection, run: i64, code: &str, limit: u32) -> Result<Vec<SummaryExample>, ServiceError> {
    let sql = "SELECT path, detail, since_run IS run, since_at, last_good_at FROM problem WHERE run = ?1 AND code = ?2
               ORDER BY since_run IS run DESC, since_at, number LIMIT ?3";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params![run, code, limit], |row| {
        Ok(SummaryExample {
            path: row.get(0)?,
            detail: row.get(1)?,
            is_new: row.get(2)?,
            since_at: row.get::<_, Option<i64>>(3)?.map(Moment),
            last_good_at: row.get::<_, Option<i64>>(4)?.map(Moment),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many runs in a row, up to the newest, were interrupted.
pub fn interrupted_in_a_row(db: &Connection, job: i64, count_max: u32) -> Result<u32, ServiceError> {
    let sql =
        format!("SELECT outcome FROM run WHERE job = ?1 AND {REAL} AND state = 'finished' ORDER BY id DESC LIMIT ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let outcomes: Vec<String> =
        statement.query_map(params![job, count_max], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let interrupted = Ended::Interrupted.word();
    Ok(u32::try_from(outcomes.iter().take_while(|outcome| **outcome == interrupted).count()).unwrap_or(u32::MAX))
}

/// Whether a run of this job runs, and whether one waits. Dry runs make no backup, so nothing is left out because of one.
pub fn standing(db: &Connection, job: i64) -> Result<(bool, bool), ServiceError> {
    let mut statement =
        db.prepare_cached("SELECT state FROM run WHERE state != 'finished' AND is_backup AND job = ?1")?;
    let states: Vec<State> = statement.query_map([job], |row| word(row, 0))?.collect::<Result<_, _>>()?;
    Ok((states.contains(&State::Running), states.contains(&State::Queued)))
}

/// The runs of which a column says yes.
#[cfg(test)]
pub(super) fn ids_that_are(db: &Connection, column: &str) -> Result<BTreeSet<i64>, ServiceError> {
    let mut statement = db.prepare(&format!("SELECT id FROM run WHERE {column}"))?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    /// One notion in two languages.
    #[test]
    fn rust_and_sql_agree_on_which_runs_make_backups_and_which_are_good() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("db")).unwrap();
        let outcomes = ["succeeded", "warnings", "held", "failed", "cancelled", "interrupted"];
        let compared = store.change(|db| {
            for dry_run in [false, true] {
                let once = RunOverrides { dry_run, ..RunOverrides::default() };
                let run = NewRun {
                    job: 1,
                    job_name: "a",
                    kind: RunKind::Backup,
                    restore: None,
                    reason: Reason::Manual,
                    attempt: 0,
                    once: &once,
                    asked_by: "",
                    ignores_blackouts: false,
                    queued_at: Moment(0),
                    not_before: Moment(0),
                };
                queue(db, &run)?;
                let id = queue(db, &run)?;
                claim(db, id, Moment(1))?;
                for outcome in outcomes {
                    let id = queue(db, &run)?;
                    claim(db, id, Moment(1))?;
                    let sql = "UPDATE run SET state = 'finished', outcome = ?2 WHERE id = ?1";
                    db.execute(sql, params![id, outcome])?;
                }
            }
            let all = list(db, None, None, 99)?;
            let that = |is: fn(&Run) -> bool| all.iter().filter(|run| is(run)).map(|run| run.id).collect();
            assert_eq!(ids_that_are(db, "is_backup")?, that(Run::is_backup));
            assert_eq!(ids_that_are(db, "is_good")?, that(Run::is_good));
            let good = that(Run::is_good);
            // What is no backup, such as a kind that a later version knows, is never a good one.
            db.execute("UPDATE run SET kind = 'other'", [])?;
            let others = (ids_that_are(db, "is_backup")?, ids_that_are(db, "is_good")?);
            Ok((all.len(), good, others))
        });
        assert_eq!(compared, Ok((16, [3, 4, 5].into(), Default::default())));
    }
}
