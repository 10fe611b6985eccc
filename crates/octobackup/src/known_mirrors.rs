//! Which mirror was last seen at which path: how the program notices that a disk is not mounted.
//!
//! One small file, `targets.toml`, written by temp, fsync, rename. It is kept first where the environment has no say:
//! `~/.local/state/octobackup` of the home that passwd(5) names (for root `/var/lib/octobackup-sync`, on Windows
//! `AppData\Local\octobackup` of the profile), because a run that cron or systemd starts without HOME must find what a run at a
//! terminal remembered. Besides, it is kept and looked for where the environment's variables say. A file that cannot be
//! understood is an error, never an empty one: an empty one would take an unmounted disk for a new mirror.

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

/// For root, whose home may be anything in a script.
#[cfg(unix)]
const OF_ROOT: &str = "/var/lib/octobackup-sync";
/// Only in builds for tests: the home of the user, so that tests leave nothing there.
const TEST_HOME: &str = "OCTOBACKUP_TEST_HOME";

/// The user's memory of mirrors.
#[derive(Debug, Clone)]
pub struct KnownMirrors {
    /// Where it is kept, the one that counts most first.
    folders: Vec<PathBuf>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Targets {
    #[serde(default)]
    targets: BTreeMap<String, String>,
}

impl KnownMirrors {
    /// The memory of this user.
    pub fn of_user() -> KnownMirrors {
        let mut folders: Vec<PathBuf> = lasting().into_iter().collect();
        for folder in named().into_iter().flatten() {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        KnownMirrors { folders }
    }

    /// The id of the mirror last seen at `path`. Every run remembers in the first folder, so that is the newest.
    pub fn id(&self, path: &Path) -> Result<Option<String>, Error> {
        let key = key(path);
        for folder in &self.folders {
            let id = read(folder)?.targets.remove(&key);
            if id.is_some() {
                return Ok(id);
            }
        }
        Ok(None)
    }

    /// Makes sure that a mirror could be remembered.
    pub fn prepare(&self) -> Result<(), Error> {
        self.in_each(|folder| locked(folder).map(drop))
    }

    /// Remembers the mirror at `path`. Several programs may do so at once.
    pub fn remember(&self, path: &Path, id: &str) -> Result<(), Error> {
        let key = key(path);
        self.in_each(|folder| {
            if read(folder)?.targets.get(&key).is_some_and(|known| known == id) {
                return Ok(());
            }
            let _lock = locked(folder)?;
            let mut all = read(folder)?;
            all.targets.insert(key.clone(), id.to_owned());
            write(folder, &all)
        })
    }

    /// Does it in all folders; the first one counts.
    fn in_each(&self, work: impl Fn(&Path) -> Result<(), Error>) -> Result<(), Error> {
        let mut done = self.folders.iter().map(|folder| work(folder));
        let nowhere = || Err(Error::new(Code::Usage, "this account has no home folder"));
        let first = done.next().unwrap_or_else(nowhere);
        // All of them, whatever the others say.
        let _ = done.filter(Result::is_err).count();
        first
    }
}

/// Where the environment has no say; `None` for an account without a home.
fn lasting() -> Option<PathBuf> {
    let state = if cfg!(windows) { "AppData\\Local\\octobackup" } else { ".local/state/octobackup" };
    if cfg!(debug_assertions)
        && let Some(home) = std::env::var_os(TEST_HOME)
    {
        return Some(PathBuf::from(home).join(state));
    }
    #[cfg(unix)]
    {
        let uid = rustix::process::geteuid();
        if uid.is_root() {
            return Some(PathBuf::from(OF_ROOT));
        }
        let table = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        if let Some(home) = home_in(&table, uid.as_raw()) {
            return Some(home.join(state));
        }
    }
    // Asks the system if the variable is not set.
    std::env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(state))
}

/// The number stands third in a line of passwd(5), the home sixth.
#[cfg(unix)]
fn home_in(table: &str, uid: u32) -> Option<PathBuf> {
    let fields = table.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut of_uid = fields.filter(|fields| fields.get(2).is_some_and(|field| *field == uid.to_string()));
    of_uid.find_map(|fields| fields.get(5).map(PathBuf::from)).filter(|home| home.is_absolute())
}

/// Where the environment says.
fn named() -> [Option<PathBuf>; 2] {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = |state: PathBuf| state.join("octobackup");
    if cfg!(windows) {
        return [absolute("LOCALAPPDATA").map(folder), None];
    }
    let home = absolute("HOME").map(|home| home.join(".local/state"));
    [absolute("XDG_STATE_HOME").map(folder), home.map(folder)]
}

/// Nobody else writes as long as this is open.
fn locked(folder: &Path) -> Result<File, Error> {
    let failed = |e: std::io::Error| fault(folder, &e.to_string());
    private(&mut DirBuilder::new()).recursive(true).create(folder).map_err(failed)?;
    let lock = folder.join("targets.lock");
    let lock = OpenOptions::new().create(true).write(true).truncate(false).open(lock).map_err(failed)?;
    lock.lock().map_err(failed)?;
    Ok(lock)
}

fn write(folder: &Path, all: &Targets) -> Result<(), Error> {
    let failed = |e: std::io::Error| fault(folder, &e.to_string());
    let text = toml::to_string(all).map_err(|e| fault(folder, &e.to_string()))?;
    let mut new = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    new.write_all(text.as_bytes()).and_then(|()| new.as_file().sync_all()).map_err(failed)?;
    new.persist(folder.join(FILE)).map_err(|e| failed(e.error))?;
    // Windows keeps the order of names by itself.
    if cfg!(unix) { File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed) } else { Ok(()) }
}

fn read(folder: &Path) -> Result<Targets, Error> {
    let file = match File::open(folder.join(FILE)) {
        // What was never written, or is closed to this account: then a new mirror is not begun unasked.
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied) => {
            return Ok(Targets::default());
        }
        other => other.map_err(|e| fault(folder, &e.to_string()))?,
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(|e| fault(folder, &e.to_string()))?;
    toml::from_str(&text).map_err(|e| fault(folder, e.message()))
}

fn fault(folder: &Path, why: &str) -> Error {
    let file = folder.join(FILE);
    Error::new(Code::RecordsDamaged, format!("{}, the memory of known mirrors: {why}", file.display()))
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
        let known = KnownMirrors { folders: vec![home.path().join("state/octobackup"), home.path().join("other")] };
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
        let known = KnownMirrors { folders: vec![home.path().to_owned()] };
        std::fs::write(home.path().join(FILE), "[targets]\n\"/srv").unwrap();
        assert_eq!(known.id(Path::new("/srv")).map_err(|e| e.code), Err(Code::RecordsDamaged));
        assert!(known.remember(Path::new("/srv"), "x").is_err());
        assert_eq!(std::fs::read_to_string(home.path().join(FILE)).unwrap(), "[targets]\n\"/srv");
    }

    #[test]
    fn what_one_environment_remembers_the_other_knows() {
        let home = tempfile::tempdir().unwrap();
        let folder = |name: &str| home.path().join(name);
        let (mirror, lasting) = (Path::new("/srv/mirror"), folder("lasting"));
        KnownMirrors { folders: vec![lasting.clone(), folder("of-a-terminal")] }.remember(mirror, "one").unwrap();
        assert_eq!(KnownMirrors { folders: vec![lasting.clone()] }.id(mirror), Ok(Some("one".into())));
        // Before it was kept there, it was kept where the variables said.
        KnownMirrors { folders: vec![folder("before")] }.remember(mirror, "old").unwrap();
        assert_eq!(
            KnownMirrors { folders: vec![folder("empty"), folder("before")] }.id(mirror),
            Ok(Some("old".into()))
        );
        assert_eq!(KnownMirrors { folders: vec![lasting, folder("before")] }.id(mirror), Ok(Some("one".into())));
        assert!(KnownMirrors { folders: Vec::new() }.prepare().is_err());
        assert!(KnownMirrors { folders: vec!["/dev/null/no-folder".into(), folder("before")] }.prepare().is_err());
    }

    #[test]
    #[cfg(unix)]
    fn the_home_is_the_sixth_field() {
        let table = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/nonexistent:/x\nbroken:x:7\n";
        assert_eq!(home_in(table, 65_534), Some("/nonexistent".into()));
        assert_eq!((home_in(table, 7), home_in(table, 8)), (None, None));
    }

    #[test]
    fn many_at_once_lose_nothing() {
        let home = tempfile::tempdir().unwrap();
        let known = KnownMirrors { folders: vec![home.path().join("s")] };
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
