//! Opening a target: its root, its nearest folder that exists, and what its filesystem can do. And what a target needs
//! from outside of itself.

use crate::linux::root::Root;
use crate::linux::{probe, stat, tree};
use crate::reserved;
use octo_core::{Abilities, Code, Error, Kind, RelPath};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// What a run may do beyond the rights of its account, as long as this lives: on Linux nothing.
#[derive(Debug)]
pub(crate) struct Rights;

impl Rights {
    /// Takes them.
    pub(crate) fn take() -> Rights {
        Rights
    }

    /// What there is to say of them.
    pub(crate) fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
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
        Ok(tmp) => root.as_owner(|| probe::probe(tmp.as_fd()))?,
        Err(Errno::NOENT) => root.as_owner(|| probe::probe(root.handle()?))?,
        Err(errno) => Err(errno),
    }
}

/// A nameless file: in our own temporary area, else in the system's.
pub(crate) fn scratch(root: &Root, tmp: &RelPath) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY;
    // Not every filesystem has nameless files, and on FUSE a removed one stays visible while it is open.
    root.open(tmp, flags, Mode::empty()).and_then(tree::nameless).or_else(|_| {
        let folder = system_temporary()?;
        tree::nameless(&folder).or_else(|_| tree::unlinked(&folder))
    })
}

/// Where a file is at this moment, for a library that opens it by its path. It is opened here first, confined to the root,
/// and made if it may be; `None` if it is not there. SQLite follows no link in the last step either (it opens with
/// `O_NOFOLLOW`).
pub(crate) fn place_of_file(root: &Root, path: &RelPath, create: bool) -> Result<Option<PathBuf>, Errno> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | if create { OFlags::CREATE } else { OFlags::empty() };
    let mode = if create { Mode::RUSR | Mode::WUSR } else { Mode::empty() };
    let handle = match root.open(path, flags, mode) {
        Err(Errno::NOENT) if !create => return Ok(None),
        // On a medium that cannot be written it can be read.
        Err(Errno::ROFS) if !create => root.open(path, OFlags::RDONLY | OFlags::NONBLOCK, mode)?,
        other => other?,
    };
    if stat::kind(&stat::of_handle(&handle)?) != Kind::File {
        return Err(Errno::ISDIR);
    }
    // Closing a handle of a file drops the POSIX locks this process has on it: close ours before others take theirs.
    drop(handle);
    let folder = root.place(path)?;
    let there = std::fs::read_link(format!("/proc/thread-self/fd/{}", folder.as_fd().as_raw_fd()))
        .map_err(|error| error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error))?;
    Ok(Some(there.join(OsStr::from_bytes(folder.name))))
}

/// An identifier of this start of the machine.
pub(crate) fn boot_id() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).ok()
}

/// Rather `/var/tmp` than `/tmp`, which may live in memory.
fn system_temporary() -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let given = std::env::var_os("TMPDIR").map(std::path::PathBuf::from);
    let places = given.into_iter().chain(["/var/tmp".into(), "/tmp".into()]);
    places.map(|place| rustix::fs::open(place, flags, Mode::empty())).find(Result::is_ok).unwrap_or(Err(Errno::NOENT))
}
