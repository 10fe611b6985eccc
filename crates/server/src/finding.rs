//! What was found about one thing that the server depends on.

use serde::Serialize;

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
