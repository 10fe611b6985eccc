//! Who may ask: roles, passwords, the secrets that prove who somebody is, and how often one may try.
//!
//! Words and pure functions. What a route needs is written beside the route (`api`); users, sessions and tokens are kept by
//! `store::access`. Neither a password nor a secret is ever stored, logged or compared as it is.

mod password;
mod refusals;
mod secret;
mod throttle;

pub use password::{check_password, hash_password, is_password};
pub use refusals::{Refusals, Row};
pub use secret::Secret;
pub use throttle::Throttle;

use serde::{Deserialize, Serialize};
use std::fmt;

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
