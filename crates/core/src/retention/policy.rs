//! What a person says of which states are kept.

use super::Every;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The last runs that changed something; their versions are never pruned.
pub const RUNS_KEPT_MIN: u32 = 3;

const UNITS: [(&str, u64); 6] =
    [("y", 365 * 86_400), ("w", 7 * 86_400), ("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// Which states are kept: what any of these rules keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeepPolicy {
    /// All that the mirror was at some moment of the last so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub all_secs: Option<u64>,
    /// So many before the newest, at least [`RUNS_KEPT_MIN`].
    #[serde(skip_serializing_if = "is_none")]
    pub last: u32,
    /// The last of so many days.
    #[serde(skip_serializing_if = "is_none")]
    pub daily: u32,
    /// The last of so many weeks.
    #[serde(skip_serializing_if = "is_none")]
    pub weekly: u32,
    /// The last of so many months.
    #[serde(skip_serializing_if = "is_none")]
    pub monthly: u32,
    /// The last of so many years.
    #[serde(skip_serializing_if = "is_none")]
    pub yearly: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_none(count: &u32) -> bool {
    *count == 0
}

impl KeepPolicy {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == KeepPolicy::default()
    }

    /// How many states before the newest are kept in any case.
    pub fn last_kept(&self) -> u32 {
        self.last.max(RUNS_KEPT_MIN)
    }

    /// Of how many such periods the last state is kept.
    pub fn count(&self, every: Every) -> u32 {
        match every {
            Every::Day => self.daily,
            Every::Week => self.weekly,
            Every::Month => self.monthly,
            Every::Year => self.yearly,
        }
    }
}

impl fmt::Display for KeepPolicy {
    /// As it is typed: `all=14d,daily=30`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            ("last", self.last),
            ("daily", self.daily),
            ("weekly", self.weekly),
            ("monthly", self.monthly),
            ("yearly", self.yearly),
        ];
        let all = self.all_secs.map(|secs| format!("all={}", short_age(secs)));
        let counts = counts.into_iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name}={count}"));
        f.write_str(&all.into_iter().chain(counts).collect::<Vec<_>>().join(","))
    }
}

/// Which older versions of what was replaced or deleted are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepVersions {
    /// None are made. Those that exist stay.
    No,
    /// Those that these states need.
    Of(KeepPolicy),
}

impl KeepVersions {
    /// Those of all states that the mirror was in so many seconds.
    pub fn secs(secs: u64) -> KeepVersions {
        KeepVersions::Of(KeepPolicy { all_secs: Some(secs), ..KeepPolicy::default() })
    }
}

impl Default for KeepVersions {
    fn default() -> KeepVersions {
        KeepVersions::secs(30 * 86_400)
    }
}

/// How much of the target's disk is to be free after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeepFree {
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of the disk.
    Percent(u8),
}

impl KeepFree {
    /// In bytes, on a disk of this size.
    pub fn bytes(self, total_bytes: u64) -> u64 {
        match self {
            KeepFree::Bytes(bytes) => bytes,
            KeepFree::Percent(percent) => total_bytes / 100 * u64::from(percent),
        }
    }
}

/// `14d`: the largest unit that fits.
pub fn short_age(secs: u64) -> String {
    // Weeks and years are not how ages are written.
    let unit = UNITS[2..].iter().find(|(_, unit)| secs.is_multiple_of(*unit) && secs > 0);
    unit.map_or_else(|| format!("{secs}s"), |(name, unit)| format!("{}{name}", secs / unit))
}

/// `14 days`.
pub(super) fn age_words(secs: u64) -> String {
    let (count, name) = match secs {
        secs if secs > 0 && secs % 86_400 == 0 => (secs / 86_400, "day"),
        secs if secs > 0 && secs % 3_600 == 0 => (secs / 3_600, "hour"),
        secs if secs > 0 && secs % 60 == 0 => (secs / 60, "minute"),
        secs => (secs, "second"),
    };
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}
