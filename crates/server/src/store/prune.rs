//! Old history is removed, in small steps, so that nothing waits for it; and never by a clock that jumped.

use super::{Store, settings};
use crate::moment::Moment;
use crate::service_error::ServiceError;
use octo_core::Timestamp;
use octo_core::clock_trust::{ClockRecord, Doubt, judge};
use rusqlite::{Connection, params};

/// Runs with their reports and problems are kept so long.
const KEEP_SECS: i64 = 90 * 86_400;
/// Slots a little longer than the runner looks back: one that is removed would be recorded again.
const KEEP_SLOTS_SECS: i64 = 100 * 86_400;
/// Runs forgotten in one transaction.
const STEP: usize = 100;
/// The setting that says what the clock showed.
const CLOCK: &str = "clock";

/// What was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Runs, with their reports and problems.
    pub runs: usize,
    /// Records of slots.
    pub slots: usize,
    /// Messages, sent or given up.
    pub messages: usize,
    /// When the oldest of the runs ended.
    pub oldest_run: Option<Moment>,
    /// Why nothing was forgotten for its age.
    pub doubt: Option<Doubt>,
}

impl Pruned {
    /// In words; `None` if nothing was removed.
    pub fn in_words(&self) -> Option<String> {
        if let Some(doubt) = &self.doubt {
            return Some(format!("no history is removed for its age: {doubt}"));
        }
        let Pruned { runs, slots, messages, oldest_run, .. } = self;
        let since = oldest_run.map_or(String::new(), |oldest| format!(", the oldest of {oldest}"));
        (runs + slots + messages > 0)
            .then(|| format!("old history was removed: {runs} runs{since}, {slots} slots, {messages} messages"))
    }
}

/// Whether the clock has been watched long enough to vouch for the clock of a mirror.
pub fn clock_is_proven(db: &Connection, now: Timestamp) -> Result<bool, ServiceError> {
    Ok(record(db)?.is_some_and(|record| record.vouches(now)))
}

/// What the clock showed. One that cannot be read is none.
fn record(db: &Connection) -> Result<Option<ClockRecord>, ServiceError> {
    Ok(settings::get(db, CLOCK)?.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Why the clock is not believed, if it is not.
pub fn clock_doubt(db: &Connection, now: Timestamp) -> Result<Option<Doubt>, ServiceError> {
    Ok(look_at_clock(db, now)?.1)
}

/// A database of an older program says by its newest run when it was last worked on.
fn look_at_clock(db: &Connection, now: Timestamp) -> Result<(ClockRecord, Option<Doubt>), ServiceError> {
    let mut seen = record(db)?;
    if seen.is_none() {
        let newest: Option<i64> =
            db.query_row("SELECT MAX(MAX(queued_at, COALESCE(finished_at, 0))) FROM run", [], |row| row.get(0))?;
        seen = newest.map(|secs| ClockRecord::last_seen(Timestamp::from_unix(secs, 0)));
    }
    Ok(judge(seen.as_ref(), now, &[]))
}

/// Forgets. The newest run of each job, and its newest one that ended well, are kept however old they are.
pub fn prune(store: &Store, clock: Timestamp) -> Result<Pruned, ServiceError> {
    let doubt = store.change(|db| {
        let (record, doubt) = look_at_clock(db, clock)?;
        settings::put(db, CLOCK, &serde_json::to_string(&record)?)?;
        Ok(doubt)
    })?;
    if doubt.is_some() {
        return Ok(Pruned { doubt, ..Pruned::default() });
    }
    let now = Moment::from(clock);
    let before = now.plus_secs(-KEEP_SECS);
    let old: Vec<(i64, Moment)> = store.read(|db| {
        let sql = "SELECT id, finished_at FROM run WHERE state = 'finished' AND finished_at < ?1
                   AND id NOT IN (SELECT MAX(id) FROM run WHERE is_backup AND started_at IS NOT NULL GROUP BY job)
                   AND id NOT IN (SELECT MAX(id) FROM run WHERE is_good GROUP BY job)";
        let mut statement = db.prepare_cached(sql)?;
        Ok(statement.query_map([before.0], |row| Ok((row.get(0)?, Moment(row.get(1)?))))?.collect::<Result<_, _>>()?)
    })?;
    for step in old.chunks(STEP) {
        store.change(|db| {
            for (id, _) in step {
                db.prepare_cached("DELETE FROM problem WHERE run = ?1")?.execute([id])?;
                db.prepare_cached("DELETE FROM run WHERE id = ?1")?.execute([id])?;
            }
            Ok(())
        })?;
    }
    store.change(|db| {
        let slots = db.execute("DELETE FROM slot WHERE due_at < ?1", params![now.plus_secs(-KEEP_SLOTS_SECS).0])?;
        // A message that waits is kept until it is delivered, or its run is gone.
        let messages = db.execute("DELETE FROM outbox WHERE queued_at < ?1 AND next_try_at IS NULL", [before.0])?;
        db.execute("DELETE FROM failing WHERE job NOT IN (SELECT id FROM job)", [])?;
        let oldest_run = old.iter().map(|(_, finished)| *finished).min();
        Ok(Pruned { runs: old.len(), slots, messages, oldest_run, doubt: None })
    })
}
