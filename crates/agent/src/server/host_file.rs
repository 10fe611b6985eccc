//! Hosts in a file: what a server kept before they were in its database, and what a listener without a server uses.

use crate::server::agent_registry::{Host, HostStore};
use crate::state;
use octo_core::Error;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A file with all hosts, replaced whole at each change.
pub struct HostFile {
    path: PathBuf,
    /// Held while they are changed.
    changing: Mutex<()>,
}

impl HostFile {
    /// The file's name in the folder of a listener.
    pub const NAME: &str = "hosts.json";

    /// The one in this folder; it appears with the first host.
    pub fn within(folder: &Path) -> HostFile {
        HostFile { path: folder.join(HostFile::NAME), changing: Mutex::default() }
    }
}

impl HostStore for HostFile {
    fn hosts(&self) -> Result<Vec<Host>, Error> {
        Ok(state::read(&self.path)?.unwrap_or_default())
    }

    fn change(&self, change: &mut dyn FnMut(&mut Vec<Host>) -> Result<(), Error>) -> Result<(), Error> {
        let _alone = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hosts = self.hosts()?;
        change(&mut hosts)?;
        state::write(&self.path, &hosts)
    }
}
