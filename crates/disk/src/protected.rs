//! Folders and files that no source and no target may touch: what a server or an agent keeps for itself.
//!
//! They are recognised by what the kernel says they are, not by their text: links and mounts of the same folder in two
//! places are seen through. [`Protected::check`] judges a path, before anything is made there; [`Protected::check_source`]
//! and [`Protected::check_target`] judge what was opened, whatever has its name by then.

use crate::os::filesystem;
use crate::overlap::{AncestorIds, Existing};
use crate::{DiskTarget, LocalSource};
use octo_core::{Code, Error};
use std::path::{Path, PathBuf};

/// Where a folder is, or would be made, as the kernel sees it.
#[derive(Debug, Clone)]
pub struct FolderLocation {
    asked: PathBuf,
    ancestor_ids: AncestorIds,
    is_whole: bool,
}

impl FolderLocation {
    /// Of the folder at `path`. Asks the disk, which may hang.
    pub fn of(path: &Path) -> Result<FolderLocation, Error> {
        let there = Existing::of(path)?;
        Ok(FolderLocation { asked: there.asked(), ancestor_ids: there.ancestor_ids()?, is_whole: there.whole })
    }

    /// Whether one is the other, or contains it.
    pub fn overlaps(&self, other: &FolderLocation) -> bool {
        let contains = |one: &FolderLocation, other: &FolderLocation| {
            let is_above = one.is_whole && one.ancestor_ids.first().is_some_and(|me| other.ancestor_ids.contains(me));
            is_above || other.asked.starts_with(&one.asked)
        };
        contains(self, other) || contains(other, self)
    }
}

/// What is protected.
#[derive(Debug, Clone, Default)]
pub struct Protected(Vec<Item>);

#[derive(Debug, Clone)]
struct Item {
    what: String,
    path: PathBuf,
    is_folder: bool,
}

impl Protected {
    /// A folder: nothing may lie in it, and nothing may contain it.
    pub fn folder(&mut self, what: &str, path: &Path) {
        self.0.push(Item { what: what.to_owned(), path: path.to_owned(), is_folder: true });
    }

    /// A file: nothing may contain it.
    pub fn file(&mut self, what: &str, path: &Path) {
        self.0.push(Item { what: what.to_owned(), path: path.to_owned(), is_folder: false });
    }

    /// Fails with [`Code::OwnData`] if the folder at `path`, or the one that would be made there, lies in something
    /// protected or contains it.
    pub fn check(&self, path: &Path) -> Result<(), Error> {
        // What is not there at all touches nothing.
        let Some(there) = Existing::find(path)? else { return Ok(()) };
        let ancestor_ids = there.ancestor_ids()?;
        self.judge(path, &ancestor_ids, there.whole)?;
        // What is not there yet on either side has only its text.
        let asked = there.asked();
        for item in &self.0 {
            let Some(own) = Existing::find(&item.path)? else { continue };
            if own.asked().starts_with(&asked) || item.is_folder && asked.starts_with(own.asked()) {
                return Err(item.overlap_error(path));
            }
        }
        Ok(())
    }

    /// The same for a source that is open.
    pub fn check_source(&self, source: &LocalSource) -> Result<(), Error> {
        self.judge(source.path(), &source.ancestor_ids()?, true)
    }

    /// The same for a target that is open; `path` is for people. One that does not exist has nothing to judge.
    pub fn check_target(&self, target: &DiskTarget, path: &Path) -> Result<(), Error> {
        target.ancestor_ids()?.map_or(Ok(()), |ancestor_ids| self.judge(path, &ancestor_ids, true))
    }

    /// `is_whole`: `ancestor_ids` begins with the folder itself, and not with the nearest one above it that exists.
    fn judge(&self, path: &Path, ancestor_ids: &[(u64, u64)], is_whole: bool) -> Result<(), Error> {
        for item in &self.0 {
            let Some(own) = Existing::find(&item.path)? else { continue };
            let above = own.ancestor_ids()?;
            let contains = is_whole && ancestor_ids.first().is_some_and(|me| above.contains(me));
            let lies_in =
                item.is_folder && own.whole && item.identities(&above)?.iter().any(|id| ancestor_ids.contains(id));
            if contains || lies_in {
                return Err(item.overlap_error(path));
            }
        }
        Ok(())
    }
}

impl Item {
    /// Those of the folder and of the folders in it: one of them may be mounted elsewhere by itself.
    fn identities(&self, above: &[(u64, u64)]) -> Result<AncestorIds, Error> {
        let mut found: AncestorIds = above.first().copied().into_iter().collect();
        let unclear = |error| crate::overlap::unclear(&self.path, &error);
        for entry in std::fs::read_dir(&self.path).map_err(unclear)? {
            let entry = entry.map_err(unclear)?;
            if entry.file_type().map_err(unclear)?.is_dir() {
                match filesystem::folder_identity(&entry.path()) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    other => found.push(other.map_err(unclear)?),
                }
            }
        }
        Ok(found)
    }

    fn overlap_error(&self, path: &Path) -> Error {
        Error::new(Code::OwnData, format!("{} overlaps with {}, {}", path.display(), self.path.display(), self.what))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::DiskOptions;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_protected_is_seen_through_links_and_in_what_contains_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("lib/own/inner")).unwrap();
        std::fs::create_dir_all(at("etc/sub")).unwrap();
        std::fs::create_dir(at("other")).unwrap();
        std::fs::write(at("etc/settings"), "").unwrap();
        symlink(at("lib"), at("way")).unwrap();
        let mut protected = Protected::default();
        protected.folder("the data directory", &at("lib/own"));
        protected.file("the settings", &at("etc/settings"));
        let is_refused = |name: &str| match protected.check(&at(name)) {
            Ok(()) => false,
            Err(error) => error.code == Code::OwnData,
        };
        for name in ["lib/own", "lib", "lib/own/inner", "lib/own/new/deep", "way", "way/own", "way/own/new", "etc", ""]
        {
            assert!(is_refused(name), "{name}");
        }
        for name in ["other", "new", "lib/new", "etc/sub", "etc/new", "lib/owner"] {
            assert_eq!(protected.check(&at(name)), Ok(()), "{name}");
        }
        // A link that leads there only now: what was opened is judged.
        let (path, before) = (at("swapped"), at("other"));
        symlink(&before, &path).unwrap();
        protected.check(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        symlink(at("lib/own/inner"), &path).unwrap();
        let source = LocalSource::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        symlink(&before, &path).unwrap();
        assert_eq!(protected.check_source(&source).unwrap_err().code, Code::OwnData);
        let target = DiskTarget::open(&at("way"), DiskOptions::default()).unwrap();
        assert_eq!(protected.check_target(&target, &at("way")).unwrap_err().code, Code::OwnData);
    }
}
