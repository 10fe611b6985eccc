//! What is old is forgotten, in small steps, so that nobody waits for it.

use super::Store;
use crate::moment::Moment;
use crate::refusal::Refusal;
use rusqlite::params;

/// Runs with their reports and problems are kept so long.
const KEEP_SECS: i64 = 90 * 86_400;
/// Slots a little longer than the runner looks back: one that is forgotten would be recorded anew.
const KEEP_SLOTS_SECS: i64 = 100 * 86_400;
/// Runs forgotten in one transaction.
const STEP: usize = 100;

/// Forgets. The newest run of each job, and its newest one that ended well, are kept however old they are.
pub fn prune(store: &Store, now: Moment) -> Result<(), Refusal> {
    let before = now.plus_secs(-KEEP_SECS);
    let old: Vec<i64> = store.read(|db| {
        let sql = "SELECT id FROM run WHERE state = 'finished' AND finished_at < ?1
                   AND id NOT IN (SELECT MAX(id) FROM run GROUP BY job)
                   AND id NOT IN (SELECT MAX(id) FROM run WHERE outcome IN ('succeeded', 'warnings', 'held') GROUP BY job)";
        let mut statement = db.prepare_cached(sql)?;
        Ok(statement.query_map([before], |row| row.get(0))?.collect::<Result<_, _>>()?)
    })?;
    for step in old.chunks(STEP) {
        store.change(|db| {
            for id in step {
                db.prepare_cached("DELETE FROM problem WHERE run = ?1")?.execute([id])?;
                db.prepare_cached("DELETE FROM run WHERE id = ?1")?.execute([id])?;
            }
            Ok(())
        })?;
    }
    store.change(|db| {
        db.execute("DELETE FROM slot WHERE due_at < ?1", params![now.plus_secs(-KEEP_SLOTS_SECS)])?;
        db.execute("DELETE FROM outbox WHERE queued_at < ?1", [before])?;
        db.execute("DELETE FROM failing WHERE job NOT IN (SELECT id FROM job)", [])?;
        Ok(())
    })
}
