//! A clock that jumps takes no history away.

use octo_core::Timestamp;
use octo_server::store::Store;
use octo_server::store::prune::{clock_is_proven, prune};

const START: i64 = 1_800_000_000;

fn day(n: i64) -> Timestamp {
    Timestamp::from_unix(START + n * 86_400, 0)
}

/// A database with a run that ended on each of these days, all of one job.
fn store(folder: &std::path::Path, days: &[i64]) -> Store {
    let store = Store::open(&folder.join("db")).unwrap();
    let add = |db: &rusqlite::Transaction<'_>| {
        for n in days {
            let sql =
                "INSERT INTO run (job, job_name, reason, attempt, once, asked_by, state, outcome, ignores_blackouts,
                       queued_at, not_before, started_at, finished_at)
                       VALUES (1, 'a', 'manual', 1, '{}', '', 'finished', 'succeeded', 0, ?1, ?1, ?1, ?1)";
            db.execute(sql, [START + n * 86_400])?;
        }
        Ok(())
    };
    store.change(add).unwrap();
    store
}

fn runs(store: &Store) -> i64 {
    store.read(|db| Ok(db.query_row("SELECT COUNT(*) FROM run", [], |row| row.get(0))?)).unwrap()
}

#[test]
fn a_clock_that_jumps_takes_no_history_away_and_one_that_goes_on_says_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), &[-3, -2, -1]);
    let jumped = prune(&store, day(365)).unwrap();
    assert!(jumped.doubt.is_some() && jumped.in_words().unwrap().contains("no history is removed"), "{jumped:?}");
    assert_eq!(prune(&store, day(0)).unwrap().in_words(), None);
    assert_eq!((prune(&store, day(400)).unwrap().runs, runs(&store)), (0, 3));
    for n in (0..=80).step_by(10) {
        assert_eq!(prune(&store, day(n)).unwrap().in_words(), None);
    }
    assert!(store.read(|db| clock_is_proven(db, day(81))).unwrap());
    assert!(!store.read(|db| clock_is_proven(db, day(800))).unwrap());
    let pruned = prune(&store, day(88)).unwrap();
    assert_eq!((pruned.runs, runs(&store)), (1, 2), "the newest run of a job stays");
    assert!(pruned.in_words().unwrap().contains("1 runs, the oldest of"), "{pruned:?}");
}

#[test]
fn a_message_that_nobody_took_yet_is_not_forgotten_for_its_age() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), &[0]);
    let add = |db: &rusqlite::Transaction<'_>| {
        let sql = "INSERT INTO outbox (recipient, message, queued_at, next_try_at, tries) VALUES ('ops', '\"test\"', ?1, ?2, 0)";
        db.execute(sql, rusqlite::params![START, START])?;
        db.execute(sql, rusqlite::params![START, None::<i64>])?;
        Ok(())
    };
    store.change(add).unwrap();
    for n in (0..=80).step_by(10) {
        assert_eq!(prune(&store, day(n)).unwrap().messages, 0);
    }
    assert_eq!(prune(&store, day(92)).unwrap().messages, 1);
    let waiting = store.read(octo_server::store::outbox::waiting).unwrap();
    assert_eq!(waiting, 1, "what waits is told, however late");
}
