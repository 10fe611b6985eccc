//! Users, sessions, API tokens, and the one-time setup. Passwords and secrets go in; a new token's secret comes out once.

use super::{ByName, Caller, Service, conflict};
use crate::access::{Role, Secret, check_password, hash_password, is_password};
use crate::job::check_name;
use crate::moment::Moment;
use crate::refusal::{Kind, Refusal};
use crate::store::access::{self as store, Token};
use crate::store::{audit, settings};
use rusqlite::Connection;
use serde::Serialize;
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
/// The setting with the hash of the setup code.
const SETUP: &str = "setup-code";

/// A user as the API shows one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserView {
    /// How they log on.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When role or password were last set.
    pub changed_at: Moment,
}

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

/// A new API token, shown once.
#[derive(Serialize)]
pub struct NewToken {
    /// The token.
    #[serde(flatten)]
    pub token: Token,
    /// For the token file.
    pub secret: Zeroizing<String>,
}

impl Service {
    /// Users, by name.
    pub fn users(&self, part: &ByName) -> Result<Vec<UserView>, Refusal> {
        let users = self.shared.store.read(store::users)?;
        let view = |user: store::User| UserView { name: user.name, role: user.role, changed_at: user.changed_at };
        Ok(part.of(users.into_iter().map(view).collect(), |user| &user.name))
    }

    /// Sets a user's role, and the password if one is given; sessions of before end. A new user needs a password.
    pub fn set_user(
        &self,
        caller: &Caller,
        name: &str,
        role: Role,
        password: Option<&str>,
    ) -> Result<UserView, Refusal> {
        check_name(name)?;
        password.map_or(Ok(()), check_password)?;
        // Not inside the transaction: it takes a while.
        let hash = password.map(hash_password).transpose()?;
        let now = self.shared.now();
        self.shared.store.change(|db| {
            let users = store::users(db)?;
            let known = users.iter().find(|user| user.name == name);
            if known.is_none() && users.len() >= USERS_MAX {
                return Err(conflict(format!("there are {USERS_MAX} users already")));
            }
            let hash = hash.or_else(|| known.map(|user| user.password.clone()));
            let hash = hash.ok_or_else(|| Refusal::field("password", "a new user needs one"))?;
            store::put_user(db, name, role, &hash, now)?;
            store::remove_sessions(db, name)?;
            settings::remove(db, SETUP)?;
            let what = if password.is_some() { "user.set" } else { "user.role" };
            audit::add(db, now, &caller.name, what, name, &role.to_string())
        })?;
        self.end_setup();
        Ok(UserView { name: name.to_owned(), role, changed_at: now })
    }

    /// Removes a user and ends their sessions.
    pub fn remove_user(&self, caller: &Caller, name: &str) -> Result<(), Refusal> {
        self.shared.store.change(|db| {
            if !store::remove_user(db, name)? {
                return Err(Refusal::not_found("user", name));
            }
            audit::add(db, self.shared.now(), &caller.name, "user.remove", name, "")
        })
    }

    /// A user logs on. Wrong passwords take longer and longer, and are in the audit log.
    pub fn log_on(&self, from: Option<IpAddr>, name: &str, password: &str) -> Result<LoggedOn, Refusal> {
        let now = self.shared.now();
        self.shared.throttle.begin(from, name, now)?;
        let user = self.shared.store.read(|db| store::user(db, name))?;
        let origin = from.map(|address| address.to_string()).unwrap_or_default();
        if !is_password(password, user.as_ref().map(|user| user.password.as_str())) {
            // What was typed into the field of the name may be a password: only a name that is one is written down.
            let who = user.as_ref().map_or("unknown", |user| user.name.as_str());
            self.shared.store.change(|db| audit::add(db, now, who, "session.refused", "", &origin))?;
            return Err(Refusal::new(Kind::Unauthenticated, "user or password are wrong"));
        }
        let Some(user) = user else {
            return Err(Refusal::new(Kind::Unauthenticated, "user or password are wrong"));
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
    pub fn log_off(&self, caller: &Caller, secret: &Secret) -> Result<(), Refusal> {
        self.shared.store.change(|db| {
            store::remove_session(db, &secret.hash())?;
            audit::add(db, self.shared.now(), &caller.name, "session.end", "", "")
        })
    }

    /// Another password for who is logged on; all sessions end.
    pub fn change_password(&self, from: Option<IpAddr>, name: &str, old: &str, new: &str) -> Result<(), Refusal> {
        check_password(new)?;
        let now = self.shared.now();
        self.shared.throttle.begin(from, name, now)?;
        let user = self.shared.store.read(|db| store::user(db, name))?;
        let Some(user) = user.filter(|user| is_password(old, Some(&user.password))) else {
            return Err(Refusal::field("old", "it is not the password"));
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
    pub fn session(&self, secret: &Secret) -> Result<Option<(String, Role, Moment)>, Refusal> {
        self.shared.store.read(|db| store::session(db, &secret.hash(), self.shared.now()))
    }

    /// The API token with this secret, if it still works.
    pub fn token(&self, secret: &Secret) -> Result<Option<Token>, Refusal> {
        self.shared.store.read(|db| store::token(db, &secret.hash(), self.shared.now()))
    }

    /// API tokens, by name.
    pub fn tokens(&self, part: &ByName) -> Result<Vec<Token>, Refusal> {
        Ok(part.of(self.shared.store.read(store::tokens)?, |token| &token.name))
    }

    /// Makes an API token.
    pub fn add_token(&self, caller: &Caller, name: &str, role: Role, days: u32) -> Result<NewToken, Refusal> {
        check_name(name)?;
        if !(1..=TOKEN_DAYS_MAX).contains(&days) {
            return Err(Refusal::field("days", format!("allowed are 1 to {TOKEN_DAYS_MAX}")));
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

    /// Removes an API token: it works no longer.
    pub fn remove_token(&self, caller: &Caller, name: &str) -> Result<(), Refusal> {
        self.shared.store.change(|db| {
            if !store::remove_token(db, name)? {
                return Err(Refusal::not_found("token", name));
            }
            audit::add(db, self.shared.now(), &caller.name, "token.remove", name, "")
        })
    }

    /// A code with which the first administrator is made; `None` once there are users. A code of before works no longer.
    pub fn setup_code(&self) -> Result<Option<Secret>, Refusal> {
        let secret = Secret::new()?;
        self.shared.store.change(|db| {
            if !store::users(db)?.is_empty() {
                return Ok(None);
            }
            settings::put(db, SETUP, &setup_hash(&secret))?;
            Ok(Some(secret))
        })
    }

    /// There are users: the code is refused from now on, so a file that stays behind does no harm.
    fn end_setup(&self) {
        if let Some(link) = self.shared.setup_link.get() {
            let _ = crate::setup::withdraw(link);
        }
    }

    /// Makes the first administrator, once.
    pub fn set_up(&self, from: Option<IpAddr>, code: &str, name: &str, password: &str) -> Result<UserView, Refusal> {
        check_name(name)?;
        check_password(password)?;
        let now = self.shared.now();
        self.shared.throttle.begin(from, "", now)?;
        let is_code = |db: &Connection| -> Result<bool, Refusal> {
            let kept = settings::get(db, SETUP)?;
            let sent = Secret::parse(code).map(|code| setup_hash(&code));
            Ok(kept.is_some() && kept == sent && store::users(db)?.is_empty())
        };
        let wrong = || {
            Refusal::new(
                Kind::Forbidden,
                "the setup code is wrong, was used, or the server was started anew; see: octobackup setup-link",
            )
        };
        if !self.shared.store.read(is_code)? {
            return Err(wrong());
        }
        let hash = hash_password(password)?;
        self.shared.store.change(|db| {
            if !is_code(db)? {
                return Err(wrong());
            }
            store::put_user(db, name, Role::Administrator, &hash, now)?;
            settings::remove(db, SETUP)?;
            audit::add(db, now, name, "setup", name, &from.map(|it| it.to_string()).unwrap_or_default())
        })?;
        self.shared.throttle.succeeded(from, "");
        self.end_setup();
        Ok(UserView { name: name.to_owned(), role: Role::Administrator, changed_at: now })
    }
}

/// Hashes are compared, so the time that it takes says nothing about the code.
fn setup_hash(secret: &Secret) -> String {
    blake3::Hash::from_bytes(secret.hash()).to_hex().to_string()
}
