//! What was found out, as data. What it means is in `findings`, how it was found out in `gather` and `walk`.

use octo_core::{Abilities, Error, RelPath, Space, Timestamp};
use octo_smb::{PreviousVersions, Security};

/// Examples kept of each sort; the numbers count all.
pub const EXAMPLES_MAX: usize = 20;

/// Everything that was found out.
#[derive(Debug)]
pub struct Facts {
    /// The source as the user named it, without secrets.
    pub source: String,
    /// The mirror, where one was named.
    pub target: Option<String>,
    /// Our own clock when the server's was read.
    pub now: Timestamp,
    /// What the share is like; `None` for a folder of this machine or a source that could not be reached.
    pub share: Option<ShareFacts>,
    /// What lies in the source, as far as was looked; or why it cannot be reached.
    pub seen: Result<Seen, Error>,
    /// The mirror's place, where one was named; or why it cannot be used.
    pub place: Option<Result<Place, Error>>,
}

/// What only a share has.
#[derive(Debug)]
pub struct ShareFacts {
    /// How the connection is protected, and what the server said of itself.
    pub security: Security,
    /// The previous versions; `None` if there are none.
    pub previous_versions: Result<Option<PreviousVersions>, Error>,
    /// Whether the account's backup privilege works.
    pub privilege: Result<Privilege, Error>,
}

/// How the account got at a sample of entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Privilege {
    /// By its own rights.
    pub by_rights: u64,
    /// Only with backup intent.
    pub by_privilege: Examples<RelPath>,
    /// Not even so.
    pub denied: Examples<RelPath>,
}

/// What a bounded look at the source saw.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// Files, folders and links.
    pub entries: u64,
    /// Folders that were listed.
    pub folders: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// What ended the look early; `None` if this was all of it.
    pub limit: Option<Limit>,
    /// Folders that could not be listed to their end.
    pub unlisted: Examples<(RelPath, Error)>,
    /// Names that cannot be names.
    pub bad_names: Examples<(RelPath, Error)>,
    /// Files whose data is elsewhere.
    pub not_local: u64,
    /// Names that the target cannot hold as they are, and their stored form. Empty without a target.
    pub escaped: Examples<(RelPath, String)>,
    /// Entries whose last write time the target cannot hold, and that time. Empty without a target.
    pub times_beyond: Examples<(RelPath, Timestamp)>,
    /// Whether a renamed file can be recognised there.
    pub stable_ids: bool,
}

/// What ended a look early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// As many entries as were asked for.
    Entries,
    /// It took too long.
    Time,
    /// More folders wait than are kept in mind.
    Folders,
}

/// A number, and the first few.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examples<T> {
    /// How many.
    pub count: u64,
    /// The first [`EXAMPLES_MAX`].
    pub first: Vec<T>,
}

/// Where the mirror is to be.
#[derive(Debug)]
pub struct Place {
    /// Whether the folder is there.
    pub exists: bool,
    /// Whether it is a mirror of ours.
    pub is_mirror: bool,
    /// Whether it counts as empty for a run.
    pub is_empty: bool,
    /// Whether a mirror was here before, as far as this user remembers.
    pub was_mirror: bool,
    /// What its filesystem can do.
    pub abilities: Abilities,
    /// Its space.
    pub space: Space,
}

impl<T> Examples<T> {
    /// One more.
    pub fn add(&mut self, example: T) {
        self.count += 1;
        if self.first.len() < EXAMPLES_MAX {
            self.first.push(example);
        }
    }
}

impl<T> Default for Examples<T> {
    fn default() -> Self {
        Examples { count: 0, first: Vec::new() }
    }
}
