//! Opening a target: its root, its nearest folder that exists, and what its filesystem can do.

use crate::linux::probe;
use crate::linux::root::Root;
use octo_core::{Abilities, Code, Error, RESERVED, RelPath};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Permissions of what is made in a mirror. Private unless told otherwise (DESIGN rule 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modes {
    /// Of files. Only permission bits count; the owner can always read and write.
    pub file: u32,
    /// Of folders. Only permission bits count; the owner can always do everything.
    pub folder: u32,
}

impl Default for Modes {
    fn default() -> Modes {
        Modes { file: 0o600, folder: 0o700 }
    }
}

/// How to open a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiskOptions {
    /// Make the folder, and those above it, if it does not exist. Without it a target that does not exist is empty and
    /// nothing can be made in it: for a dry run.
    pub create: bool,
    /// Permissions of what is made.
    pub modes: Modes,
}

/// A path in the reserved folder.
pub(crate) fn reserved(below: &str) -> RelPath {
    RelPath::parse(format!("{RESERVED}/{below}").as_bytes()).unwrap_or_default()
}

/// What an error means while a target is opened.
pub(crate) fn open_code(errno: Errno) -> Code {
    if errno == Errno::NOSPC || errno == Errno::DQUOT { Code::NoSpace } else { Code::TargetFailed }
}

/// Makes the target's folder, and those above it, private.
pub(crate) fn make_root(path: &Path) -> Result<(), Error> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        let errno = error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error);
        Error::new(open_code(errno), format!("making {}: {error}", path.display()))
    })
}

/// The folder at `path`, or the nearest one above it that exists.
pub(crate) fn nearest_folder(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut last = Errno::NOENT;
    for ancestor in path.ancestors() {
        let ancestor = if ancestor.as_os_str().is_empty() { Path::new(".") } else { ancestor };
        match rustix::fs::open(ancestor, flags, Mode::empty()) {
            Err(errno) => last = errno,
            opened => return opened,
        }
    }
    Err(last)
}

/// In our own temporary area if there is one, else directly below the root.
pub(crate) fn find_abilities(root: &Root) -> Result<Abilities, Errno> {
    match root.open(&reserved("tmp"), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()) {
        Ok(tmp) => probe::probe(tmp.as_fd()),
        Err(Errno::NOENT) => probe::probe(root.handle()?),
        Err(errno) => Err(errno),
    }
}

/// Rather `/var/tmp` than `/tmp`, which may live in memory.
pub(crate) fn system_temporary() -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let given = std::env::var_os("TMPDIR").map(std::path::PathBuf::from);
    let places = given.into_iter().chain(["/var/tmp".into(), "/tmp".into()]);
    places.map(|place| rustix::fs::open(place, flags, Mode::empty())).find(Result::is_ok).unwrap_or(Err(Errno::NOENT))
}
