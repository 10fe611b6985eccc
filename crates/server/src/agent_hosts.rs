//! The database as the agents' listener sees it: its port [`HostStore`], and what an older server kept in a file.

use crate::app_state::AppState;
use crate::service_error::ServiceError;
use crate::store::hosts;
use octo_agent::{Host, HostFile, HostStore};
use octo_core::{Code, Error};
use std::path::Path;
use std::sync::Weak;

/// Takes over the file in which an older server kept them, once, and removes it. A death in between is harmless.
pub fn take_over(state: &AppState, folder: &Path) -> Result<(), ServiceError> {
    let path = folder.join(HostFile::NAME);
    if !path.exists() {
        return Ok(());
    }
    let old = HostFile::within(folder).hosts()?;
    state.store.change(|db| if hosts::list(db)?.is_empty() { hosts::put(db, &old) } else { Ok(()) })?;
    #[expect(clippy::disallowed_methods, reason = "a small file of its own, not one of a mirror")]
    let removed = std::fs::remove_file(&path);
    removed.map_err(|e| Error::new(Code::Usage, format!("{}: {e}", path.display())).into())
}

/// The database as the agents' listener sees it.
pub struct DatabaseHosts(pub Weak<AppState>);

impl DatabaseHosts {
    fn with<T>(&self, ask: impl FnOnce(&AppState) -> Result<T, ServiceError>) -> Result<T, Error> {
        let state = self.0.upgrade().ok_or_else(|| Error::new(Code::Usage, "the server is stopping"))?;
        ask(&state).map_err(|error| Error::new(Code::Usage, format!("the server's database: {error}")))
    }
}

impl HostStore for DatabaseHosts {
    fn hosts(&self) -> Result<Vec<Host>, Error> {
        self.with(|state| state.store.read(hosts::list))
    }

    fn change(&self, asked: &mut dyn FnMut(&mut Vec<Host>) -> Result<(), Error>) -> Result<(), Error> {
        self.with(|state| state.store.change(|db| hosts::change(db, |hosts| asked(hosts))))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::store::Store;
    use crate::vault::Vault;
    use std::sync::Arc;

    /// What an older server wrote.
    const OLD: &str = r#"[{"name": "files-1", "agent": "0a1b2c3d4e5f6071", "last_seen": null, "version": "0.1.0",
        "clock_skew_secs": 0, "is_revoked": false, "token": null, "certificates": ["aa"]}]"#;

    fn state(folder: &Path) -> Arc<AppState> {
        let store = Store::open(&folder.join("octobackup.db")).unwrap();
        let vault = Vault::open(folder, &store).unwrap();
        Arc::new(AppState::new(store, vault, Arc::new(SystemClock::new())))
    }

    #[test]
    fn the_file_of_an_older_server_is_taken_over_once() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(folder.path());
        take_over(&state, folder.path()).unwrap();
        std::fs::write(folder.path().join(HostFile::NAME), OLD).unwrap();
        take_over(&state, folder.path()).unwrap();
        assert!(!folder.path().join(HostFile::NAME).exists());
        let hosts = DatabaseHosts(Arc::downgrade(&state));
        let names = || hosts.hosts().unwrap().into_iter().map(|host| (host.name.clone(), host.is_paired()));
        assert_eq!(names().collect::<Vec<_>>(), [("files-1".to_owned(), true)]);
        // As if it had died before it removed the file: what happened since stays.
        hosts.change(&mut |hosts| octo_agent::revoke(hosts, "files-1")).unwrap();
        std::fs::write(folder.path().join(HostFile::NAME), OLD).unwrap();
        take_over(&state, folder.path()).unwrap();
        assert_eq!(names().collect::<Vec<_>>(), [("files-1".to_owned(), false)]);
        // A damaged file is not taken for an empty one.
        std::fs::write(folder.path().join(HostFile::NAME), "[{").unwrap();
        assert!(take_over(&state, folder.path()).is_err() && folder.path().join(HostFile::NAME).exists());
    }

    #[test]
    fn a_change_that_is_refused_leaves_all_hosts_as_they_were_and_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(folder.path());
        let hosts = DatabaseHosts(Arc::downgrade(&state));
        let refused = hosts.change(&mut |hosts| octo_agent::revoke(hosts, "nobody")).unwrap_err();
        assert!(refused.detail.contains("there is no host"), "{refused}");
        let refused = hosts.change(&mut |_| Err(Error::new(Code::LogonFailed, "revoked"))).unwrap_err();
        assert_eq!(refused.code, Code::LogonFailed, "the code is the agent's answer");
        assert!(hosts.hosts().unwrap().is_empty());
    }
}
