//! A whole set of jobs at once: `/jobs-file`.

use crate::words::words;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Makes the jobs as a file says. `F` is the file: who only passes it on need not know what it says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest<F> {
    /// What shall be there.
    pub file: F,
    /// Jobs that the file does not name are removed.
    #[serde(default)]
    pub remove: bool,
    /// Say what would change, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// What a dry run said: if it is not what would happen now, nothing is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<Vec<Change>>,
}

/// What happens to one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What is done.
    pub what: What,
    /// The job; empty for the server's defaults.
    pub job: String,
    /// What is another afterwards, as `policy.bandwidth`.
    pub fields: Vec<Field>,
}

words! {
    /// What is done to it.
    What {
        /// The server's defaults become others.
        Defaults = "defaults",
        /// A new job.
        Add = "add",
        /// A job becomes another.
        Change = "change",
        /// A job goes; its mirror and its history stay.
        Remove = "remove",
    }
}

/// One value that becomes another; `null` where nothing is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// What it was.
    pub from: Value,
    /// What it becomes.
    pub to: Value,
}
