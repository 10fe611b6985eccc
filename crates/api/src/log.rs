//! The log of a run: `/runs/{id}/log`.

use crate::moment::Moment;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Info,
    /// Something to look at.
    Warning,
    /// Something did not work.
    Error,
}

impl Level {
    /// As syslog and journald count.
    pub fn priority(self) -> u8 {
        match self {
            Level::Info => 6,
            Level::Warning => 4,
            Level::Error => 3,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        })
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When.
    pub at: Moment,
    /// How much it matters.
    pub level: Level,
    /// In plain words.
    pub text: String,
}

/// Some lines of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPart {
    /// In the order in which they were written.
    pub lines: Vec<Line>,
    /// Where the next part begins: an offset in bytes.
    pub next: u64,
    /// No more lines will come than there are now.
    pub is_over: bool,
}
