//! Metadata on Windows: recorded, not yet set on the files themselves.

use super::Fault;
use super::root::Root;
use super::tree::{self, Spot};
use crate::detail::{self, Leftover};
use octo_core::{Metadata, RelPath};
use std::sync::atomic::{AtomicBool, Ordering};

/// What was found out while metadata was set.
#[derive(Debug, Default)]
pub(crate) struct Manner {
    is_used: AtomicBool,
}

/// That something is there.
pub(crate) struct Opened;

/// Whether something is at `path`.
pub(crate) fn open(root: &Root, path: &RelPath) -> Result<Option<Opened>, Fault> {
    Ok(matches!(tree::spot(root, path)?, Spot::Taken(_)).then_some(Opened))
}

/// Nothing is read from the files.
pub(crate) fn read(_: &Opened) -> Result<Option<Metadata>, Fault> {
    Ok(None)
}

impl Manner {
    /// What the report has to say.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let used = self.is_used.load(Ordering::Relaxed);
        let what =
            "attributes, permissions and streams are kept in .octobackup\\meta; they are not set on the mirror's files";
        used.then(|| what.to_owned()).into_iter().collect()
    }

    /// Leaves everything to the records.
    pub(crate) fn set<'m>(&self, _: &Opened, metadata: &'m Metadata) -> Result<Vec<Leftover<'m>>, Fault> {
        self.is_used.store(true, Ordering::Relaxed);
        Ok(detail::all(metadata))
    }
}
