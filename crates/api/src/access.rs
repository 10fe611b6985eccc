//! Who may ask: users and their sessions, API tokens, and the setup of the first administrator: `/users`, `/session`,
//! `/tokens`, `/setup`.

use crate::moment::Moment;
use crate::words::words;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Marks an API token, so that people and scanners recognise one that lies about.
pub const TOKEN_PREFIX: &str = "octo_";
/// Its random part, in bytes.
pub const TOKEN_BYTES: usize = 32;

/// How many days a token is valid by default.
pub const TOKEN_DAYS: u32 = 365;

/// Whether a text has the form of an API token.
pub fn is_token(text: &str) -> bool {
    let digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix(TOKEN_PREFIX).is_some_and(|rest| rest.len() == 2 * TOKEN_BYTES && rest.bytes().all(digit))
}

words! {
    /// What somebody may do; each may also do what those before may.
    Role {
        /// Look at everything but the audit log, users and tokens.
        Viewer = "viewer",
        /// Also start, cancel and approve runs, dismiss held deletions, and pause jobs.
        Operator = "operator",
        /// Everything.
        Administrator = "administrator",
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// How they log on.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When role or password were last set.
    pub changed_at: Moment,
}

/// Adds a user, or changes one.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetUser {
    /// What they may do.
    pub role: Role,
    /// Left out, it stays; a new user needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Zeroizing<String>>,
}

/// An API token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// What it is called.
    pub name: String,
    /// The role of its holder.
    pub role: Role,
    /// Who made it.
    pub made_by: String,
    /// When it was made.
    pub created_at: Moment,
    /// It works until then.
    pub expires_at: Moment,
}

/// Makes an API token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddToken {
    /// What it is called.
    pub name: String,
    /// The role of its holder.
    pub role: Role,
    /// How many days it works; the server's usual number, if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<u32>,
}

/// A new API token: its secret is shown this once.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewToken {
    /// The token.
    #[serde(flatten)]
    pub token: Token,
    /// For the token file.
    pub secret: Zeroizing<String>,
}

/// Makes the first administrator.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetUp {
    /// What the setup link ends with.
    pub code: Zeroizing<String>,
    /// How they log on.
    pub user: String,
    /// Their password.
    pub password: Zeroizing<String>,
}

/// Asks whether a setup code still works.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetUpCode {
    /// What the setup link ends with.
    pub code: Zeroizing<String>,
}

/// Logs on.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogOn {
    /// Who.
    pub user: String,
    /// Their password.
    pub password: Zeroizing<String>,
}

/// Who asks, and what they may do.
#[derive(Clone, Serialize, Deserialize)]
pub struct Session {
    /// Their name.
    pub user: String,
    /// What they may do.
    pub role: Role,
    /// What changes of this session need in the header `X-CSRF-Token`; only a session with a cookie has one.
    pub csrf: Option<String>,
    /// Until when; only a session with a cookie ends by itself.
    pub expires_at: Option<Moment>,
}

/// Sets another password of one's own.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The password until now.
    pub old: Zeroizing<String>,
    /// The password from now on.
    pub new: Zeroizing<String>,
}
