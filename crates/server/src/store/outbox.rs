//! Queued messages: a row is written in the transaction of the event it reports, and stays until it is delivered.

use crate::moment::Moment;
use crate::service_error::ServiceError;
use octo_api::notify::{Message, QueuedMessage};
use rusqlite::{Connection, OptionalExtension, Row, params};

const COLUMNS: &str = "id, recipient, message, queued_at, next_try_at, tries, last_error, sent_at";

fn read(row: &Row<'_>) -> rusqlite::Result<(QueuedMessage, String)> {
    let message = QueuedMessage {
        id: row.get(0)?,
        recipient: row.get(1)?,
        message: Message::Test,
        queued_at: Moment(row.get(3)?),
        next_try_at: row.get::<_, Option<i64>>(4)?.map(Moment),
        tries: row.get(5)?,
        last_error: row.get(6)?,
        sent_at: row.get::<_, Option<i64>>(7)?.map(Moment),
    };
    Ok((message, row.get(2)?))
}

fn whole((queued, json): (QueuedMessage, String)) -> Result<QueuedMessage, ServiceError> {
    Ok(QueuedMessage { message: serde_json::from_str(&json)?, ..queued })
}

/// Adds one, to be sent at once; returns its id.
pub fn add(db: &Connection, recipient: &str, message: &Message, now: Moment) -> Result<i64, ServiceError> {
    let sql = "INSERT INTO outbox (recipient, message, queued_at, next_try_at) VALUES (?1, ?2, ?3, ?3)";
    db.prepare_cached(sql)?.execute(params![recipient, serde_json::to_string(message)?, now.0])?;
    Ok(db.last_insert_rowid())
}

/// One.
pub fn get(db: &Connection, id: i64) -> Result<Option<QueuedMessage>, ServiceError> {
    let mut statement = db.prepare_cached(&format!("SELECT {COLUMNS} FROM outbox WHERE id = ?1"))?;
    statement.query_row([id], read).optional()?.map(whole).transpose()
}

/// Those whose time has come, and those that a clock which was wrong put off for longer than `wait_secs_max`.
pub fn due(db: &Connection, now: Moment, wait_secs_max: i64, limit: u32) -> Result<Vec<QueuedMessage>, ServiceError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM outbox WHERE next_try_at <= ?1 OR next_try_at > ?2 ORDER BY next_try_at, id LIMIT ?3"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![now.0, now.plus_secs(wait_secs_max).0, limit], read)?;
    rows.map(|row| whole(row?)).collect()
}

/// The newest first; those before `before`.
pub fn list(db: &Connection, before: Option<i64>, limit: u32) -> Result<Vec<QueuedMessage>, ServiceError> {
    let sql = format!("SELECT {COLUMNS} FROM outbox WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map(params![before.unwrap_or(i64::MAX), limit], read)?;
    rows.map(|row| whole(row?)).collect()
}

/// How many wait.
pub fn waiting(db: &Connection) -> Result<i64, ServiceError> {
    let sql = "SELECT COUNT(*) FROM outbox WHERE next_try_at IS NOT NULL";
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// What waits is due at once: something was changed that may help.
pub fn hurry(db: &Connection, now: Moment) -> Result<(), ServiceError> {
    db.prepare_cached("UPDATE outbox SET next_try_at = ?1 WHERE next_try_at IS NOT NULL")?.execute([now.0])?;
    Ok(())
}

/// Somebody begins to try, and will try again at `next_try_at` if nothing more is heard of that. `false` if somebody else has
/// tried since, or it waits no more.
pub fn begin_try(db: &Connection, message: &QueuedMessage, next_try_at: Moment) -> Result<bool, ServiceError> {
    let sql = "UPDATE outbox SET tries = tries + 1, next_try_at = ?3
               WHERE id = ?1 AND tries = ?2 AND next_try_at IS NOT NULL";
    Ok(db.prepare_cached(sql)?.execute(params![message.id, message.tries, next_try_at.0])? > 0)
}

/// It was taken.
pub fn sent(db: &Connection, id: i64, now: Moment) -> Result<(), ServiceError> {
    let sql = "UPDATE outbox SET sent_at = ?2, next_try_at = NULL, last_error = NULL WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![id, now.0])?;
    Ok(())
}

/// It was not taken. Without a next try it is given up.
pub fn failed(db: &Connection, id: i64, why: &str, next_try_at: Option<Moment>) -> Result<(), ServiceError> {
    let sql = "UPDATE outbox SET next_try_at = ?2, last_error = ?3 WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![id, next_try_at.map(|at| at.0), why])?;
    Ok(())
}
