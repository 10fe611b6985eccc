//! The server itself: `/healthz`, `/backup`, `/self-check` and `/audit`.

use crate::moment::Moment;
use serde::{Deserialize, Serialize};

/// The server can do its work; if it cannot, the answer is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `ok`.
    pub status: String,
}

/// Copies the server's own data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackUp {
    /// An absolute path of the server's machine that does not exist yet; the folder above it does.
    pub folder: String,
}

/// A copy of the server's own data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// Where it is.
    pub folder: String,
    /// Its size.
    pub bytes: u64,
    /// The key is in it; not so where the server was handed the key.
    pub has_key: bool,
}

/// What was found about one thing that the server depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at.
    pub about: String,
    /// Nothing has to be done.
    pub is_well: bool,
    /// What was found, and what to do.
    pub detail: String,
}

impl Finding {
    /// What was found about it: that all is well, or what is wrong.
    pub fn of(about: &str, found: Result<String, String>) -> Finding {
        let is_well = found.is_ok();
        Finding { about: about.to_owned(), is_well, detail: found.unwrap_or_else(|why| why) }
    }
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Counts up.
    pub id: i64,
    /// When.
    pub at: Moment,
    /// Who.
    pub who: String,
    /// What, as `job.add`.
    pub what: String,
    /// The name of what was changed.
    pub about: String,
    /// What it was changed to; without secrets.
    pub detail: String,
}
