//! What ends a run whose source has no end: folders that list more than any folder has, requests that are put off for ever, and
//! a source that gives nothing any more. Far above what a right source needs; each can be set.

use octo_core::FolderLimits;
use octo_core::source::ANSWER_TIMEOUT;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a source may give nothing.
const IDLE_SECS: u64 = 2 * 3600;
/// The same, in answers that each take as long as they may.
const IDLE_ANSWERS: u64 = 8;

/// The limits of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceLimits {
    /// Entries in one folder of the source.
    pub folder_entries: u64,
    /// Bytes that one folder takes while it is sorted.
    pub folder_bytes: u64,
    /// Seconds for the final answer of a share's server to one request.
    pub answer_secs: u64,
    /// Seconds in which the source gives nothing at all, neither an entry nor data; `None` for no limit.
    pub idle_secs: Option<u64>,
}

impl Default for SourceLimits {
    fn default() -> SourceLimits {
        let folder = FolderLimits::default();
        SourceLimits {
            folder_entries: folder.entries,
            folder_bytes: folder.scratch_bytes,
            answer_secs: ANSWER_TIMEOUT.as_secs(),
            idle_secs: Some(IDLE_SECS),
        }
    }
}

impl SourceLimits {
    /// How long a source may give nothing by default: longer than a run waits for an answer, or for a server that is gone.
    pub fn usual_idle_secs(answer_secs: u64, reconnect_secs: Option<u64>) -> u64 {
        IDLE_SECS.max(answer_secs.saturating_mul(IDLE_ANSWERS)).max(reconnect_secs.unwrap_or(0).saturating_mul(2))
    }

    /// Whether all limits are the defaults.
    pub fn are_usual(&self) -> bool {
        *self == SourceLimits::default()
    }

    /// How large a folder of the source may be.
    pub fn folder(&self) -> FolderLimits {
        FolderLimits { entries: self.folder_entries, scratch_bytes: self.folder_bytes }
    }

    /// How long a source may give nothing.
    pub fn idle(&self) -> Option<Duration> {
        self.idle_secs.map(Duration::from_secs)
    }
}
