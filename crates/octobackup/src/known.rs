//! Which mirror was last seen at which path: how the program notices that a disk is not mounted.
//!
//! One small file in the user's state folder, `$XDG_STATE_HOME/octobackup/targets.toml` (`~/.local/state/...`; on
//! Windows `%LOCALAPPDATA%\octobackup`), written by temp, fsync, rename. A file that cannot be understood is an error, never an empty one: an empty one would take an
//! unmounted disk for a new mirror.

use octo_core::path::{bytes_to_text, os_bytes};
use octo_core::{Code, Error};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

const FILE: &str = "targets.toml";
/// More than any person has mirrors.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The user's memory of mirrors.
#[derive(Debug, Clone)]
pub struct Known {
    folder: PathBuf,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Targets {
    #[serde(default)]
    targets: BTreeMap<String, String>,
}

impl Known {
    /// The memory of this user; `None` if there is no home.
    pub fn of_user() -> Option<Known> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = if cfg!(windows) {
            absolute("LOCALAPPDATA")?
        } else {
            absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?
        };
        Some(Known { folder: state.join("octobackup") })
    }

    /// The id of the mirror last seen at `path`.
    pub fn id(&self, path: &Path) -> Result<Option<String>, Error> {
        Ok(self.read()?.targets.remove(&key(path)))
    }

    /// Remembers the mirror at `path`. Several programs may do so at once.
    pub fn remember(&self, path: &Path, id: &str) -> Result<(), Error> {
        if self.id(path)?.as_deref() == Some(id) {
            return Ok(());
        }
        let failed = |e: std::io::Error| self.fault(&e.to_string());
        private(&mut DirBuilder::new()).recursive(true).create(&self.folder).map_err(failed)?;
        let lock = self.folder.join("targets.lock");
        let lock = OpenOptions::new().create(true).write(true).truncate(false).open(lock).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut all = self.read()?;
        all.targets.insert(key(path), id.to_owned());
        let text = toml::to_string(&all).map_err(|e| self.fault(&e.to_string()))?;
        let mut new = tempfile::NamedTempFile::new_in(&self.folder).map_err(failed)?;
        new.write_all(text.as_bytes()).and_then(|()| new.as_file().sync_all()).map_err(failed)?;
        new.persist(self.folder.join(FILE)).map_err(|e| failed(e.error))?;
        // Windows keeps the order of names by itself.
        if cfg!(unix) { File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failed) } else { Ok(()) }
    }

    fn read(&self) -> Result<Targets, Error> {
        let file = match File::open(self.folder.join(FILE)) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Targets::default()),
            other => other.map_err(|e| self.fault(&e.to_string()))?,
        };
        let mut text = String::new();
        file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(|e| self.fault(&e.to_string()))?;
        toml::from_str(&text).map_err(|e| self.fault(e.message()))
    }

    fn fault(&self, why: &str) -> Error {
        let file = self.folder.join(FILE);
        Error::new(Code::RecordsDamaged, format!("{}, the memory of known mirrors: {why}", file.display()))
    }
}

/// For the user alone. A user's own folder on Windows is that already.
fn private(folder: &mut DirBuilder) -> &mut DirBuilder {
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(folder, 0o700);
    folder
}

/// The same text for all ways to write a path that exists; otherwise for the part of it that exists.
fn key(path: &Path) -> String {
    let mut real = path.to_path_buf();
    for ancestor in path.ancestors() {
        if let Ok(found) = ancestor.canonicalize() {
            let rest = path.strip_prefix(ancestor).unwrap_or(Path::new(""));
            real = if rest.as_os_str().is_empty() { found } else { found.join(rest) };
            break;
        }
    }
    bytes_to_text(&os_bytes(&real))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_is_known_by_every_way_to_write_its_path() {
        let home = tempfile::tempdir().unwrap();
        let known = Known { folder: home.path().join("state/octobackup") };
        let (real, link) = (home.path().join("real"), home.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(known.id(&real), Ok(None));
        known.remember(&link, "one").unwrap();
        known.remember(&home.path().join("other"), "two").unwrap();
        assert_eq!(known.id(&real.join("../real/")), Ok(Some("one".into())));
        known.remember(&real, "three").unwrap();
        assert_eq!(known.id(&link), Ok(Some("three".into())));
        assert_eq!(known.id(&home.path().join("other")), Ok(Some("two".into())));
    }

    #[test]
    fn a_damaged_memory_is_an_error_and_not_empty() {
        let home = tempfile::tempdir().unwrap();
        let known = Known { folder: home.path().to_owned() };
        std::fs::write(home.path().join(FILE), "[targets]\n\"/srv").unwrap();
        assert_eq!(known.id(Path::new("/srv")).map_err(|e| e.code), Err(Code::RecordsDamaged));
        assert!(known.remember(Path::new("/srv"), "x").is_err());
        assert_eq!(std::fs::read_to_string(home.path().join(FILE)).unwrap(), "[targets]\n\"/srv");
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let home = tempfile::tempdir().unwrap();
        let known = Known { folder: home.path().join("s") };
        let path = |n: usize| PathBuf::from(format!("/nonexistent/{n}"));
        std::thread::scope(|scope| {
            for n in 0..8 {
                let known = &known;
                scope.spawn(move || known.remember(&path(n), &n.to_string()).unwrap());
            }
        });
        (0..8).for_each(|n| assert_eq!(known.id(&path(n)), Ok(Some(n.to_string()))));
    }
}
