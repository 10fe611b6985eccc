//! Access control: who asks, and what they may do.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Marks an API token, so that people and scanners recognise one that lies about.
pub const TOKEN_PREFIX: &str = "octo_";
/// Its random part, in bytes.
pub const TOKEN_BYTES: usize = 32;

/// Whether a text has the form of an API token.
pub fn is_token(text: &str) -> bool {
    let digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    text.strip_prefix(TOKEN_PREFIX).is_some_and(|rest| rest.len() == 2 * TOKEN_BYTES && rest.bytes().all(digit))
}

/// What somebody may do; each may also do what those before may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Look at everything but the audit log, users and tokens.
    Viewer,
    /// Also start, cancel and approve runs, dismiss held deletions, and pause jobs.
    Operator,
    /// Everything.
    Administrator,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Administrator => "administrator",
        })
    }
}
