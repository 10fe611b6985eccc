//! Files that nobody else can find: without a name, or with one that cannot be guessed.

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use std::hash::{BuildHasher, Hasher};
use std::os::fd::{AsFd, OwnedFd};

/// A name that nobody else has: unpredictable, so that nothing can wait there for us.
pub(crate) fn private_name(prefix: &str) -> String {
    // The standard library's hasher is keyed from the system's random numbers.
    let random = std::hash::RandomState::new().build_hasher().finish();
    format!("{prefix}{random:016x}")
}

/// A file in `folder` that never has a name, gone when it is closed.
pub(crate) fn nameless(folder: impl AsFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
    rustix::fs::openat(&folder, c".", flags, Mode::RUSR | Mode::WUSR)
}

/// A file in `folder` that has a name for an instant only.
pub(crate) fn unlinked(folder: impl AsFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let name = private_name("octobackup-");
    let fd = rustix::fs::openat(&folder, name.as_str(), flags, Mode::RUSR | Mode::WUSR)?;
    rustix::fs::unlinkat(&folder, name.as_str(), AtFlags::empty())?;
    Ok(fd)
}
