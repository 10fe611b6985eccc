//! The local folders an agent may read: an allow-list, checked against where a folder really is.
//!
//! A folder is opened below the handle of an allowed one, through no link, so there is no moment in which a swapped name
//! leads elsewhere. Below it, the local source lets nothing leave (`octo_disk`).

use crate::agent::serving::Roots;
use octo_core::{Code, Error, Source};
use octo_disk::{BlockingCalls, LocalSource};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Folders kept open at once; beyond that they are opened again when asked for.
const OPEN_MAX: usize = 64;

/// A folder that cannot be opened within this time hangs. Disks that sleep wake up sooner.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

/// Local folders that may be read.
#[derive(Debug)]
pub struct AllowedRoots {
    allowed: Vec<PathBuf>,
    /// What the agent keeps for itself: never read, though it lies in what is allowed.
    own: Option<PathBuf>,
    open: Mutex<HashMap<String, Arc<LocalSource>>>,
    opening: BlockingCalls,
}

impl AllowedRoots {
    /// Only these folders and what lies below them.
    pub fn new(allowed: Vec<PathBuf>) -> AllowedRoots {
        AllowedRoots { allowed, own: None, open: Mutex::default(), opening: BlockingCalls::default() }
    }

    /// Nothing of this folder: the agent keeps its key there.
    pub fn keeping_out_of(self, own: PathBuf) -> AllowedRoots {
        AllowedRoots { own: Some(own), ..self }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, Arc<LocalSource>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens it below one of the folders that are allowed. Those in which it seems to lie come first, and mostly last: anyone who
    /// is asked for one folder leaves the others alone, which may hang.
    fn allowed_source(&self, root: &str, denied: impl Fn() -> Error) -> Result<LocalSource, Error> {
        let near = |allowed: &&PathBuf| Path::new(root).starts_with(allowed);
        let (first, others): (Vec<_>, Vec<_>) = self.allowed.iter().partition(near);
        let mut failed = None;
        for allowed in first.iter().chain(&others) {
            let about = format!("{} (for {root})", allowed.display());
            let (within, asked, own) = (PathBuf::from(allowed), PathBuf::from(root), self.own.clone());
            let open = move || {
                let opened = LocalSource::open_within(&within, &asked)?;
                opened
                    .map(|source| match &own {
                        Some(own) => source.keeping_out_of(own),
                        None => Ok(source),
                    })
                    .transpose()
            };
            let about = if first.contains(allowed) { root } else { &about };
            match self.opening.ask(about, ANSWERS_WITHIN, None, open) {
                Ok(Some(source)) => return Ok(source),
                Ok(None) => {}
                // It hangs itself, whatever it is asked by way of.
                Err(error) if error.code == Code::TimedOut && first.contains(allowed) => return Err(error),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        // A server that may not read it shall not learn either whether it exists.
        Err(failed.filter(|_| !first.is_empty()).unwrap_or_else(denied))
    }

    fn open_local(&self, root: &str) -> Result<Arc<LocalSource>, Error> {
        let denied = || {
            let advice = "it is not in a folder that the agent's configuration allows (`roots`)";
            Error::new(Code::SourceMissing, format!("{root}: {advice}"))
        };
        if !Path::new(root).is_absolute() {
            return Err(denied());
        }
        let source = Arc::new(self.allowed_source(root, denied)?);
        let mut held = self.held();
        if held.len() >= OPEN_MAX {
            held.clear();
        }
        held.insert(root.to_owned(), Arc::clone(&source));
        Ok(source)
    }
}

impl Roots for AllowedRoots {
    fn open(&self, root: &str) -> Result<Arc<dyn Source>, Error> {
        Ok(self.open_local(root)?)
    }

    fn get(&self, root: &str) -> Result<Arc<dyn Source>, Error> {
        let held = self.held().get(root).cloned();
        Ok(match held {
            Some(source) => source,
            None => self.open_local(root)?,
        })
    }

    fn roots(&self) -> Vec<String> {
        self.allowed.iter().map(|path| path.display().to_string()).collect()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn only_what_really_lies_in_an_allowed_folder_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["allowed", "allowed/inner", "allowed too", "secret"] {
            std::fs::create_dir(at(name)).unwrap();
        }
        std::os::unix::fs::symlink(at("secret"), at("allowed/way out")).unwrap();
        std::os::unix::fs::symlink(at("allowed"), at("way in")).unwrap();
        let roots = AllowedRoots::new(vec![at("allowed"), at("not there")]);
        let may = |path: PathBuf| roots.open(path.to_str().unwrap()).is_ok();
        assert!(may(at("allowed")) && may(at("allowed/inner")) && may(at("way in/inner")));
        assert!(!may(at("secret")) && !may(at("allowed/way out")) && !may(at("allowed/../secret")));
        assert!(!may(at("allowed too")), "a name that only begins the same");
        assert!(!may("allowed".into()) && !may("/".into()) && !may("".into()));
        let words = |path: &str| roots.open(path).err().map(|error| error.detail.replace(path, ""));
        let (there, absent) = (at("secret"), at("nothing"));
        assert_eq!(
            words(there.to_str().unwrap()),
            words(absent.to_str().unwrap()),
            "the answer does not show what exists"
        );
    }
}
