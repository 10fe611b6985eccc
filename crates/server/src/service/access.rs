//! Users, sessions, API tokens, and the one-time setup. Passwords and secrets go in; a new token's secret comes out once.

use super::{ByName, Caller, Service, conflict};
use crate::access::{Row, Secret, check_password, hash_password, is_password};
use crate::moment::Moment;
use crate::service_error::{Kind, ServiceError};
use crate::store::access as store;
use crate::store::{audit, settings};
use octo_api::access::{NewToken, Role, Token, User};
use octo_job::check_name;
use rusqlite::Connection;
use std::net::IpAddr;
use zeroize::Zeroizing;

/// A day's work; then the password is asked for again.
const SESSION_SECS: i64 = 12 * 3600;
/// More browsers than one person has.
const SESSIONS_MAX: u32 = 20;
/// More than one server needs; a list of them is one answer.
const USERS_MAX: usize = 500;
const TOKENS_MAX: usize = 500;
/// A token that lives longer is forgotten about.
const TOKEN_DAYS_MAX: u32 = 3650;
const DAY_SECS: i64 = 86_400;
/// Names that the audit log has for others: a user of that name would be taken for them.
const RESERVED: &[&str] = &["root", "unknown", "system", "server", "octobackup"];
/// The setting with the hash of the setup code.
const SETUP: &str = "setup-code";

/// A session that begins: the secret is for the cookie.
pub struct LoggedOn {
    /// Whose it is.
    pub user: String,
    /// What they may do.
    pub role: Role,
    /// Until when.
    pub expires_at: Moment,
    /// Proves it from now on.
    pub secret: Secret,
    /// How long that is from now.
    pub lasts_secs: i64,
}

impl Service {
    /// Users, by name.
    pub fn users(&self, part: &ByName) -> Result<Vec<User>, ServiceError> {
        let users = self.shared.store.read(store::users)?;
        let view = |user: store::User| User { name: user.name, role: user.role, changed_at: user.changed_at };
        Ok(part.of(users.into_iter().map(view).collect(), |user| &user.name))
    }

    /// Sets a user's role, and the password if one is given; sessions of before end. A new user needs a password.
    pub fn set_user(
        &self,
        caller: &Caller,
        name: &str,
        role: Role,
        password: Option<&str>,
    ) -> Result<User, ServiceError> {
        check_name(name)?;
        password.map_or(Ok(()), check_password)?;
        // Not inside the transaction: it takes a while.
        let hash = password.map(hash_password).transpose()?;
        let now = self.shared.now();
        self.shared.store.change(|db| {
            let users = store::users(db)?;
            let known = users.iter().find(|user| user.name == name);
            if known.is_none() {
                check_new_name(&users, name)?;
            }
            if known.is_none() && users.len() >= USERS_MAX {
                return Err(conflict(format!("there are {USERS_MAX} users already")));
            }
            let hash = hash.or_else(|| known.map(|user| user.password.clone()));
            let hash = hash.ok_or_else(|| {
                let why = format!("there is no user {name}, and a new one needs a password");
                ServiceError { field: Some("password".to_owned()), ..ServiceError::new(Kind::NotFound, why) }
            })?;
            store::put_user(db, name, role, &hash, now)?;
            store::remove_sessions(db, name)?;
            settings::remove(db, SETUP)?;
            let what = if password.is_some() { "user.set" } else { "user.role" };
            audit::add(db, now, &caller.name, what, name, &role.to_string())?;
            // Who may not do something any more may not do it with a token either.
            let ended = store::remove_tokens_of(db, name, Some(role))?;
            note_ended(db, now, caller, &ended, &format!("made by {name}, who is {role} now"))
        })?;
        self.end_setup();
        Ok(User { name: name.to_owned(), role, changed_at: now })
    }

    /// Removes a user and ends their sessions, and the tokens that they made.
    pub fn remove_user(&self, caller: &Caller, name: &str) -> Result<(), ServiceError> {
        self.shared.store.change(|db| {
            if !store::remove_user(db, name)? {
                return Err(ServiceError::not_found("user", name));
            }
            let now = self.shared.now();
            audit::add(db, now, &caller.name, "user.remove", name, "")?;
            let ended = store::remove_tokens_of(db, name, None)?;
            note_ended(db, now, caller, &ended, &format!("made by {name}, who was removed"))
        })
    }

    /// A user logs on. Wrong passwords take longer and longer, and are in the audit log.
    pub fn log_on(&self, from: Option<IpAddr>, name: &str, password: &str) -> Result<LoggedOn, ServiceError> {
        let now = self.shared.now();
        let user = self.shared.store.read(|db| store::user(db, name))?;
        // What was typed into the field of the name may be a password: only a name that is one is written down.
        let who = user.as_ref().map_or("unknown", |user| user.name.as_str());
        self.throttled(from, name, ("session.refused", who))?;
        let origin = from.map(|address| address.to_string()).unwrap_or_default();
        if !is_password(password, user.as_ref().map(|user| user.password.as_str())) {
            self.refused("session.refused", who, from)?;
            return Err(ServiceError::new(Kind::Unauthenticated, "user or password are wrong"));
        }
        let Some(user) = user else {
            return Err(ServiceError::new(Kind::Unauthenticated, "user or password are wrong"));
        };
        self.shared.throttle.succeeded(from, name);
        let secret = Secret::new()?;
        let expires_at = now.plus_secs(SESSION_SECS);
        self.shared.store.change(|db| {
            // Password or role may have been changed while this one was looked at.
            if store::user(db, name)?.as_ref() != Some(&user) {
                return Err(conflict("the user was changed at this moment; log on again"));
            }
            store::add_session(db, &secret.hash(), user.id, now, expires_at, SESSIONS_MAX)?;
            audit::add(db, now, &user.name, "session.begin", "", &origin)
        })?;
        Ok(LoggedOn { user: user.name, role: user.role, expires_at, secret, lasts_secs: SESSION_SECS })
    }

    /// Ends a session.
    pub fn log_off(&self, caller: &Caller, secret: &Secret) -> Result<(), ServiceError> {
        self.shared.store.change(|db| {
            store::remove_session(db, &secret.hash())?;
            audit::add(db, self.shared.now(), &caller.name, "session.end", "", "")
        })
    }

    /// Another password for who is logged on; all sessions end.
    pub fn change_password(&self, from: Option<IpAddr>, name: &str, old: &str, new: &str) -> Result<(), ServiceError> {
        check_password(new)?;
        let now = self.shared.now();
        self.throttled(from, name, ("user.password.refused", name))?;
        let user = self.shared.store.read(|db| store::user(db, name))?;
        let Some(user) = user.filter(|user| is_password(old, Some(&user.password))) else {
            self.refused("user.password.refused", name, from)?;
            return Err(ServiceError::field("old", "it is not the password"));
        };
        self.shared.throttle.succeeded(from, name);
        let hash = hash_password(new)?;
        self.shared.store.change(|db| {
            if store::user(db, name)?.as_ref() != Some(&user) {
                return Err(conflict("the user was changed at this moment; try again"));
            }
            store::put_user(db, name, user.role, &hash, now)?;
            store::remove_sessions(db, name)?;
            audit::add(db, now, name, "user.password", name, "")
        })
    }

    /// Whose session this is: user, role and end.
    pub fn session(&self, secret: &Secret) -> Result<Option<(String, Role, Moment)>, ServiceError> {
        self.shared.store.read(|db| store::session(db, &secret.hash(), self.shared.now()))
    }

    /// Whether one may try a password at all now. Who may not is counted as refused.
    fn throttled(&self, from: Option<IpAddr>, name: &str, audit: (&'static str, &str)) -> Result<(), ServiceError> {
        let begun = self.shared.throttle.begin(from, name, self.shared.now());
        if begun.is_err() {
            self.refused(audit.0, audit.1, from)?;
        }
        begun
    }

    /// A stranger was refused: it comes to the audit log, but strangers cannot fill that.
    pub fn refused(&self, what: &'static str, who: &str, from: Option<IpAddr>) -> Result<(), ServiceError> {
        self.shared.refusals.add((what, who, from), self.shared.now(), |row| self.write_refused(row))
    }

    /// Writes what was counted since it was last written.
    pub(super) fn write_refusals(&self) -> Result<(), ServiceError> {
        self.shared.refusals.write_out(|row| self.write_refused(row))
    }

    fn write_refused(&self, row: &Row<'_>) -> Result<i64, ServiceError> {
        self.shared.store.change(|db| {
            if let Some(id) = row.id
                && audit::count_up(db, id, &row.detail)?
            {
                return Ok(id);
            }
            audit::add(db, row.at, row.who, row.what, "", &row.detail)?;
            Ok(db.last_insert_rowid())
        })
    }

    /// The API token with this secret, if it still works.
    pub fn token(&self, secret: &Secret) -> Result<Option<Token>, ServiceError> {
        self.shared.store.read(|db| store::token(db, &secret.hash(), self.shared.now()))
    }

    /// API tokens, by name.
    pub fn tokens(&self, part: &ByName) -> Result<Vec<Token>, ServiceError> {
        Ok(part.of(self.shared.store.read(store::tokens)?, |token| &token.name))
    }

    /// Makes an API token.
    pub fn add_token(&self, caller: &Caller, name: &str, role: Role, days: u32) -> Result<NewToken, ServiceError> {
        check_name(name)?;
        if !(1..=TOKEN_DAYS_MAX).contains(&days) {
            return Err(ServiceError::field("days", format!("allowed are 1 to {TOKEN_DAYS_MAX}")));
        }
        let now = self.shared.now();
        let secret = Secret::new()?;
        let token = Token {
            name: name.to_owned(),
            role,
            made_by: caller.name.clone(),
            created_at: now,
            expires_at: now.plus_secs(i64::from(days) * DAY_SECS),
        };
        self.shared.store.change(|db| {
            let tokens = store::tokens(db)?;
            if tokens.iter().any(|token| token.name == name) {
                return Err(conflict(format!("there is a token {name} already; remove it first")));
            }
            if tokens.len() >= TOKENS_MAX {
                return Err(conflict(format!("there are {TOKENS_MAX} tokens already")));
            }
            store::add_token(db, &token, &secret.hash())?;
            audit::add(db, now, &caller.name, "token.add", name, &format!("{role}, {days} days"))
        })?;
        Ok(NewToken { token, secret: Zeroizing::new(secret.reveal().to_owned()) })
    }

    /// Removes an API token: it works no longer, nor do those that were made with it.
    pub fn remove_token(&self, caller: &Caller, name: &str) -> Result<(), ServiceError> {
        self.shared.store.change(|db| {
            if !store::remove_token(db, name)? {
                return Err(ServiceError::not_found("token", name));
            }
            let now = self.shared.now();
            audit::add(db, now, &caller.name, "token.remove", name, "")?;
            let ended = store::remove_tokens_of(db, &format!("token {name}"), None)?;
            note_ended(db, now, caller, &ended, &format!("made with token {name}, which was removed"))
        })
    }

    /// A code with which the first administrator is made; `None` once there are users. A code of before works no longer.
    pub fn setup_code(&self) -> Result<Option<Secret>, ServiceError> {
        let secret = Secret::new()?;
        self.shared.store.change(|db| {
            if !store::users(db)?.is_empty() {
                return Ok(None);
            }
            settings::put(db, SETUP, &setup_hash(&secret))?;
            Ok(Some(secret))
        })
    }

    /// Whether the first administrator is still to be made.
    pub fn awaits_setup(&self) -> Result<bool, ServiceError> {
        self.shared.store.read(|db| Ok(store::users(db)?.is_empty()))
    }

    /// There are users: the code is refused from now on, so a file that stays behind does no harm.
    fn end_setup(&self) {
        if let Some(link) = self.shared.setup_link.get() {
            let _ = crate::setup::withdraw(link);
        }
    }

    /// Fails if the first administrator cannot be made with this code: it was used, or the server has made another since.
    pub fn check_setup(&self, from: Option<IpAddr>, code: &str) -> Result<(), ServiceError> {
        self.throttled(from, "", ("setup.refused", "unknown"))?;
        if !self.shared.store.read(|db| is_setup_code(db, code))? {
            self.refused("setup.refused", "unknown", from)?;
            return Err(wrong_setup_code());
        }
        self.shared.throttle.succeeded(from, "");
        Ok(())
    }

    /// Makes the first administrator, once.
    pub fn set_up(&self, from: Option<IpAddr>, code: &str, name: &str, password: &str) -> Result<User, ServiceError> {
        check_name(name)?;
        check_password(password)?;
        let now = self.shared.now();
        self.check_setup(from, code)?;
        let hash = hash_password(password)?;
        self.shared.store.change(|db| {
            if !is_setup_code(db, code)? {
                return Err(wrong_setup_code());
            }
            check_new_name(&[], name)?;
            store::put_user(db, name, Role::Administrator, &hash, now)?;
            settings::remove(db, SETUP)?;
            audit::add(db, now, name, "setup", name, &from.map(|it| it.to_string()).unwrap_or_default())
        })?;
        self.end_setup();
        Ok(User { name: name.to_owned(), role: Role::Administrator, changed_at: now })
    }
}

/// Refuses the name of a new user that people could take for somebody else.
fn check_new_name(users: &[store::User], name: &str) -> Result<(), ServiceError> {
    if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
        return Err(ServiceError::field(
            "name",
            format!("{name:?} means somebody else in the audit log; choose another name"),
        ));
    }
    match users.iter().find(|user| user.name.eq_ignore_ascii_case(name)) {
        Some(other) => Err(ServiceError::field("name", format!("{name:?} is too much like the user {}", other.name))),
        None => Ok(()),
    }
}

fn note_ended(db: &Connection, now: Moment, caller: &Caller, tokens: &[String], why: &str) -> Result<(), ServiceError> {
    tokens.iter().try_for_each(|token| audit::add(db, now, &caller.name, "token.remove", token, why))
}

/// Hashes are compared, so the time that it takes says nothing about the code.
fn is_setup_code(db: &Connection, code: &str) -> Result<bool, ServiceError> {
    let kept = settings::get(db, SETUP)?;
    let sent = Secret::parse(code).map(|code| setup_hash(&code));
    Ok(kept.is_some() && kept == sent && store::users(db)?.is_empty())
}

fn wrong_setup_code() -> ServiceError {
    ServiceError::new(
        Kind::Forbidden,
        "the setup code is wrong, was used already, or the server was restarted; see: octobackup setup-link",
    )
}

fn setup_hash(secret: &Secret) -> String {
    blake3::Hash::from_bytes(secret.hash()).to_hex().to_string()
}
