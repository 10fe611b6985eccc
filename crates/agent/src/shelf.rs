//! The local folders an agent may read: an allow-list, checked against where a folder really is.
//!
//! A folder is opened first and judged by the path its own handle was opened with, links resolved. Below it, the
//! local source lets nothing leave (`octo_disk`).

use crate::serving::Shelf;
use octo_core::{Code, Error, Source};
use octo_disk::LocalSource;
use std::collections::HashMap;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Folders kept open at once; beyond that they are opened again when asked for.
const OPEN_MAX: usize = 64;

/// Local folders that may be read.
#[derive(Debug)]
pub struct LocalShelf {
    allowed: Vec<PathBuf>,
    open: Mutex<HashMap<String, Arc<LocalSource>>>,
}

impl LocalShelf {
    /// Only these folders and what lies below them.
    pub fn new(allowed: Vec<PathBuf>) -> LocalShelf {
        LocalShelf { allowed, open: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, Arc<LocalSource>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_local(&self, root: &str) -> Result<Arc<LocalSource>, Error> {
        let denied = || {
            let advice = "it is not in a folder that the agent's configuration allows (`roots`)";
            Error::new(Code::SourceMissing, format!("{root}: {advice}"))
        };
        if !Path::new(root).is_absolute() {
            return Err(denied());
        }
        // Whoever may not read it shall not learn either whether it exists.
        let source = LocalSource::open(Path::new(root)).map_err(|error| {
            let near = self.allowed.iter().any(|allowed| Path::new(root).starts_with(allowed));
            if near { error } else { denied() }
        })?;
        let path = source.pin()?.path;
        let is_allowed = |allowed: &PathBuf| {
            let real = LocalSource::open(allowed).and_then(|it| it.pin());
            real.is_ok_and(|real| is_within(&path, &real.path))
        };
        if !self.allowed.iter().any(is_allowed) {
            return Err(denied());
        }
        let source = Arc::new(source);
        let mut held = self.held();
        if held.len() >= OPEN_MAX {
            held.clear();
        }
        held.insert(root.to_owned(), Arc::clone(&source));
        Ok(source)
    }
}

/// Whether `path` is `folder` or lies in it. Both are real paths: absolute, without links and dots.
fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || folder.ends_with(MAIN_SEPARATOR) || rest.starts_with(MAIN_SEPARATOR))
}

impl Shelf for LocalShelf {
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
        let shelf = LocalShelf::new(vec![at("allowed"), at("not there")]);
        let may = |path: PathBuf| shelf.open(path.to_str().unwrap()).is_ok();
        assert!(may(at("allowed")) && may(at("allowed/inner")) && may(at("way in/inner")));
        assert!(!may(at("secret")) && !may(at("allowed/way out")) && !may(at("allowed/../secret")));
        assert!(!may(at("allowed too")), "a name that only begins the same");
        assert!(!may("allowed".into()) && !may("/".into()) && !may("".into()));
        let words = |path: &str| shelf.open(path).err().map(|error| error.detail.replace(path, ""));
        let (there, absent) = (at("secret"), at("nothing"));
        assert_eq!(words(there.to_str().unwrap()), words(absent.to_str().unwrap()), "what exists is not told");
    }
}
