//! The log of a run: `/runs/{id}/log`.

use crate::moment::Moment;
use crate::words::words;
use serde::{Deserialize, Serialize};

words! {
    /// How much it matters.
    Level {
        /// As it should be.
        Info = "info",
        /// Something to look at.
        Warning = "warning",
        /// Something did not work.
        Error = "error",
    }
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
