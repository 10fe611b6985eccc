//! The states of a mirror, and what is in them: `/jobs/{name}/states`, `/jobs/{name}/find`, `/jobs/{name}/versions`.
//!
//! Paths are those of the source, in the reversible text form of paths. A state is asked for by its number, by a moment (the
//! newest that was complete then), or as `now`; answers say its number.

use crate::moment::Moment;
use octo_core::{Counts, Kind, Outcome};
use serde::{Deserialize, Serialize};

/// The trailer of a download that says how many entries of an archive are damaged or missing.
pub const DOWNLOAD_PROBLEMS: &str = "octobackup-problems";

/// A state that is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeptState {
    /// The number of the last run, as the mirror counts them, whose changes are in it.
    pub state: u64,
    /// When that run ended; `None` if its report is gone.
    pub taken: Option<Moment>,
    /// How that run ended.
    pub outcome: Option<Outcome>,
    /// What that run did.
    pub counts: Option<Counts>,
    /// Why it is kept, by the rules of the last run; empty: it goes with the next run that ends well; `None`: versions are not kept,
    /// or it is not known which states are pinned.
    #[serde(default)]
    pub because: Option<Vec<String>>,
    /// What the person wrote who pinned it.
    #[serde(default)]
    pub pinned: Option<String>,
}

/// An entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateEntry {
    /// Its name, in the reversible text form.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Its size; 0 of what is no file.
    pub size_bytes: u64,
    /// When it was last written.
    pub write_time: Moment,
}

/// A page of a folder of a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateFolder {
    /// The state.
    pub state: u64,
    /// By name.
    pub entries: Vec<StateEntry>,
    /// What the next page comes after; `None` if this is the last.
    pub next: Option<String>,
    /// The first entries that could not be read, and why.
    pub problems: Vec<String>,
}

/// The states in which an entry was the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The entry.
    pub path: String,
    /// What it was.
    pub kind: Kind,
    /// Its size.
    pub size_bytes: u64,
    /// When it was last written.
    pub write_time: Moment,
    /// The first state that is kept and has it.
    pub first_state: u64,
    /// The last one.
    pub last_state: u64,
    /// Whether the mirror has it as it is now.
    pub is_newest: bool,
}

/// A page of what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// By path, of each the newest version first.
    pub versions: Vec<Version>,
    /// What the next page comes after; `None` if this is the last.
    pub next: Option<String>,
}

/// What an entry was in one of two states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// What it was.
    pub kind: Kind,
    /// Its size.
    pub size_bytes: u64,
    /// When it was last written.
    pub write_time: Moment,
}

/// An entry that two states do not have alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The entry.
    pub path: String,
    /// In the earlier state; `None` if it was not there.
    pub earlier: Option<Side>,
    /// In the later state; `None` if it was not there.
    pub later: Option<Side>,
}

/// A page of what differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differences {
    /// The earlier state.
    pub earlier: u64,
    /// The later state.
    pub later: u64,
    /// What differs, folder by folder.
    pub differences: Vec<Difference>,
    /// Where the next page begins; `None` if this is the last.
    pub next: Option<u64>,
}
