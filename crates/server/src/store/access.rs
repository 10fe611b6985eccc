//! Users, their sessions, and API tokens. Passwords and secrets are hashed before they come here.

use super::words::word;
use crate::moment::Moment;
use crate::service_error::ServiceError;
use octo_api::Word;
use octo_api::access::{Role, Token};
use rusqlite::{Connection, OptionalExtension, params};

/// The hash of a session's or a token's secret.
pub type Hash = [u8; 32];

/// Who may log on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Never used again.
    pub id: i64,
    /// How they log on.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// Argon2id.
    pub password: String,
    /// When it was last set.
    pub changed_at: Moment,
}

const USER: &str = "SELECT id, name, role, password, changed_at FROM user";

fn user_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<User> {
    let (id, name, role) = (row.get(0)?, row.get(1)?, word(row, 2)?);
    Ok(User { id, name, role, password: row.get(3)?, changed_at: Moment(row.get(4)?) })
}

/// All, by name.
pub fn users(db: &Connection) -> Result<Vec<User>, ServiceError> {
    let mut statement = db.prepare_cached(&format!("{USER} ORDER BY name"))?;
    Ok(statement.query_map([], user_of)?.collect::<Result<_, _>>()?)
}

/// One.
pub fn user(db: &Connection, name: &str) -> Result<Option<User>, ServiceError> {
    Ok(db.prepare_cached(&format!("{USER} WHERE name = ?1"))?.query_row([name], user_of).optional()?)
}

/// Sets one, replacing what was there.
pub fn put_user(db: &Connection, name: &str, role: Role, password: &str, now: Moment) -> Result<(), ServiceError> {
    let sql = "INSERT INTO user (name, role, password, changed_at) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (name) DO UPDATE SET role = ?2, password = ?3, changed_at = ?4";
    db.prepare_cached(sql)?.execute(params![name, role.word(), password, now.0])?;
    Ok(())
}

/// Removes one, and their sessions. Whether there was one.
pub fn remove_user(db: &Connection, name: &str) -> Result<bool, ServiceError> {
    Ok(db.prepare_cached("DELETE FROM user WHERE name = ?1")?.execute([name])? > 0)
}

/// Adds a session; what has expired goes, and of this user all but the newest `max`.
pub fn add_session(
    db: &Connection,
    hash: &Hash,
    user: i64,
    now: Moment,
    until: Moment,
    max: u32,
) -> Result<(), ServiceError> {
    db.prepare_cached("DELETE FROM session WHERE expires_at <= ?1")?.execute([now.0])?;
    let sql = "INSERT INTO session (hash, user, expires_at) VALUES (?1, ?2, ?3)";
    db.prepare_cached(sql)?.execute(params![hash, user, until.0])?;
    let sql = "DELETE FROM session WHERE user = ?1 AND hash NOT IN
               (SELECT hash FROM session WHERE user = ?1 ORDER BY expires_at DESC LIMIT ?2)";
    db.prepare_cached(sql)?.execute(params![user, max])?;
    Ok(())
}

/// Whose session this is, and until when.
pub fn session(db: &Connection, hash: &Hash, now: Moment) -> Result<Option<(String, Role, Moment)>, ServiceError> {
    let sql = "SELECT name, role, expires_at FROM session JOIN user ON user.id = session.user
               WHERE hash = ?1 AND expires_at > ?2";
    let mut statement = db.prepare_cached(sql)?;
    Ok(statement
        .query_row(params![hash, now.0], |row| Ok((row.get(0)?, word(row, 1)?, Moment(row.get(2)?))))
        .optional()?)
}

/// Ends one session.
pub fn remove_session(db: &Connection, hash: &Hash) -> Result<(), ServiceError> {
    db.prepare_cached("DELETE FROM session WHERE hash = ?1")?.execute([hash])?;
    Ok(())
}

/// Ends all sessions of a user.
pub fn remove_sessions(db: &Connection, name: &str) -> Result<(), ServiceError> {
    let sql = "DELETE FROM session WHERE user = (SELECT id FROM user WHERE name = ?1)";
    db.prepare_cached(sql)?.execute([name])?;
    Ok(())
}

const TOKEN: &str = "SELECT name, role, made_by, created_at, expires_at FROM token";

fn token_of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Token> {
    let (name, role, made_by) = (row.get(0)?, word(row, 1)?, row.get(2)?);
    Ok(Token { name, role, made_by, created_at: Moment(row.get(3)?), expires_at: Moment(row.get(4)?) })
}

/// All, by name, the expired ones too.
pub fn tokens(db: &Connection) -> Result<Vec<Token>, ServiceError> {
    let mut statement = db.prepare_cached(&format!("{TOKEN} ORDER BY name"))?;
    Ok(statement.query_map([], token_of)?.collect::<Result<_, _>>()?)
}

/// The token with this secret, if it still works.
pub fn token(db: &Connection, hash: &Hash, now: Moment) -> Result<Option<Token>, ServiceError> {
    let mut statement = db.prepare_cached(&format!("{TOKEN} WHERE hash = ?1 AND expires_at > ?2"))?;
    Ok(statement.query_row(params![hash, now.0], token_of).optional()?)
}

/// Adds one.
pub fn add_token(db: &Connection, token: &Token, hash: &Hash) -> Result<(), ServiceError> {
    let sql = "INSERT INTO token (name, role, hash, made_by, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let Token { name, role, made_by, created_at, expires_at } = token;
    db.prepare_cached(sql)?.execute(params![name, role.word(), hash, made_by, created_at.0, expires_at.0])?;
    Ok(())
}

/// Removes one. Whether there was one.
pub fn remove_token(db: &Connection, name: &str) -> Result<bool, ServiceError> {
    Ok(db.prepare_cached("DELETE FROM token WHERE name = ?1")?.execute([name])? > 0)
}

/// Removes the tokens that `maker` made, as the audit log calls them: those whose role is above `keep`, and all that were made
/// with these. Their names.
pub fn remove_tokens_of(db: &Connection, maker: &str, keep: Option<Role>) -> Result<Vec<String>, ServiceError> {
    let mut removed: Vec<String> = Vec::new();
    let mut makers = vec![(maker.to_owned(), keep)];
    while let Some((maker, keep)) = makers.pop() {
        let made = tokens(db)?.into_iter().filter(|it| it.made_by == maker && keep.is_none_or(|keep| it.role > keep));
        for token in made {
            remove_token(db, &token.name)?;
            makers.push((format!("token {}", token.name), None));
            removed.push(token.name);
        }
    }
    Ok(removed)
}
