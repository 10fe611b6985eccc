//! What one run does otherwise than its job says.

use serde::{Deserialize, Serialize};

/// What a person says for one run only; never kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunOverrides {
    /// Do nothing, say what would be done.
    pub dry_run: bool,
    /// Take over a folder that has files.
    pub adopt: bool,
    /// Start a new mirror at a known path.
    pub new_target: bool,
    /// Another source is intended.
    pub accept_source: bool,
    /// Many replacements are right.
    pub release_brake: bool,
    /// A shift of time zone.
    pub restamp_shift_secs: Option<i64>,
    /// Metadata of all entries is read again.
    pub refresh_metadata: bool,
    /// The plan whose deletions are approved.
    pub approve: Option<String>,
}

impl RunOverrides {
    /// Each override in words.
    pub fn in_words(&self) -> Vec<String> {
        let overrides = [
            (self.dry_run, "nothing is changed (dry run)".to_owned()),
            (self.adopt, "the files that are there are taken over".to_owned()),
            (self.new_target, "a new mirror is started".to_owned()),
            (self.accept_source, "another source is intended".to_owned()),
            (self.release_brake, "many changed files are right".to_owned()),
            (self.restamp_shift_secs.is_some(), "times have shifted by a time zone".to_owned()),
            (self.refresh_metadata, "metadata of all entries is read again".to_owned()),
            (self.approve.is_some(), format!("the held plan {} is approved", self.approve.as_deref().unwrap_or("-"))),
        ];
        overrides.into_iter().filter(|(is_set, _)| *is_set).map(|(_, words)| words).collect()
    }
}
