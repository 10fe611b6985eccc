//! The root handle, and the only way from it to anything below.
//!
//! Every path is resolved by the kernel in one go with `openat2`: beneath the root, through no link, into no other
//! mount (openat2(2)). There is no cache of folder handles: a handle kept from before a rename would lead to where the
//! folder is now, not to what has its name. Resolving again costs about a microsecond.

use crate::linux::account::Account;
use crate::linux::{safe_path, stat};
use octo_core::RelPath;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::{Errno, retry_on_intr};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const CONFINED: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// The kernel takes at most 4,095 bytes of path at once; longer ones are resolved in steps.
const STEP_BYTES_MAX: usize = 4000;

/// A folder that nothing leaves.
#[derive(Debug)]
pub(crate) struct Root {
    handle: Option<OwnedFd>,
    /// Whose everything becomes that is made below; `None` for the account that runs.
    owner: Option<Account>,
}

/// Where an entry is: the handle of its folder, and its name there.
pub(crate) struct Place<'a> {
    folder: Folder<'a>,
    /// The last name of the path; never empty.
    pub(crate) name: &'a [u8],
}

enum Folder<'a> {
    Root(BorrowedFd<'a>),
    Below(OwnedFd),
}

impl AsFd for Place<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.folder {
            Folder::Root(fd) => fd.as_fd(),
            Folder::Below(fd) => fd.as_fd(),
        }
    }
}

impl Root {
    /// Opens the folder at `path`, links in `path` itself included: that is what a person wrote. A link that a stranger may
    /// have put there is refused with [`Errno::LOOP`].
    pub(crate) fn open_at(path: &Path) -> Result<Root, Errno> {
        let followed = safe_path::follow(path)?;
        if !followed.missing.is_empty() {
            return Err(Errno::NOENT);
        }
        let root = Root { handle: Some(reopen(&followed.folder)?), owner: None };
        // Fails here, with a clear word, where the kernel has no openat2.
        root.open(&RelPath::root(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        Ok(root)
    }

    /// A folder below this one as a root of its own: through no link, but across mounts, for a person named it.
    pub(crate) fn open_below(&self, path: &RelPath) -> Result<Root, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let across = CONFINED.difference(ResolveFlags::NO_XDEV);
        let folder = resolve_as(across, self.handle()?, path.as_bytes(), flags, Mode::empty())?;
        Ok(Root { handle: Some(reopen(&folder)?), owner: None })
    }

    /// Where this folder is at this moment, by what its handle says: absolute and without links.
    pub(crate) fn path(&self) -> Result<PathBuf, Errno> {
        let handle = self.handle()?;
        let path = std::fs::read_link(format!("/proc/thread-self/fd/{}", handle.as_raw_fd()))
            .map_err(|error| error.raw_os_error().map_or(Errno::IO, Errno::from_raw_os_error))?;
        let is_removed =
            path.as_os_str().as_bytes().ends_with(b" (deleted)") && stat::of_handle(handle)?.stx_nlink == 0;
        if is_removed { Err(Errno::NOENT) } else { Ok(path) }
    }

    /// A root that does not exist: nothing is found below it, nothing can be made.
    pub(crate) fn absent() -> Root {
        Root { handle: None, owner: None }
    }

    /// The same root; what is made below it belongs to `owner`.
    pub(crate) fn owned_by(self, owner: Option<Account>) -> Root {
        Root { owner, ..self }
    }

    /// Does what makes something: only as the mirror's owner (see [`owner`](crate::linux::owner)).
    pub(crate) fn as_owner<T>(&self, make: impl FnOnce() -> T) -> Result<T, Errno> {
        match &self.owner {
            Some(owner) => owner.act(make),
            None => Ok(make()),
        }
    }

    /// Whether the root exists.
    pub(crate) fn exists(&self) -> bool {
        self.handle.is_some()
    }

    /// The handle of the root itself.
    pub(crate) fn handle(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.handle.as_ref().map(AsFd::as_fd).ok_or(Errno::NOENT)
    }

    /// Only the handle.
    pub(crate) fn into_handle(self) -> Result<OwnedFd, Errno> {
        self.handle.ok_or(Errno::NOENT)
    }

    /// Makes everything in the filesystem durable. On the root's handle, opened before the first write: it sees every
    /// write error since then.
    pub(crate) fn sync_whole(&self) -> Result<(), Errno> {
        rustix::fs::syncfs(self.handle()?)
    }

    /// Opens what is at `path` itself, or makes it.
    pub(crate) fn open(&self, path: &RelPath, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        let open = |flags, mode| resolve(self.handle()?, path.as_bytes(), flags, mode);
        if !flags.contains(OFlags::CREATE) {
            return open(flags, mode);
        }
        let make = || self.as_owner(|| open(flags | OFlags::EXCL, mode))?;
        if flags.contains(OFlags::EXCL) {
            return make();
        }
        // What is there is opened with our own rights.
        match open(flags.difference(OFlags::CREATE), Mode::empty()) {
            Err(Errno::NOENT) => match make() {
                // Somebody else was faster.
                Err(Errno::EXIST) => open(flags.difference(OFlags::CREATE), Mode::empty()),
                made => made,
            },
            opened => opened,
        }
    }

    /// Opens the folder that `path` is in.
    pub(crate) fn place<'a>(&'a self, path: &'a RelPath) -> Result<Place<'a>, Errno> {
        let root = self.handle()?;
        let bytes = path.as_bytes();
        let (folder, name) = match bytes.iter().rposition(|&b| b == b'/') {
            Some(at) => {
                let flags = OFlags::PATH | OFlags::DIRECTORY;
                (Folder::Below(resolve(root, &bytes[..at], flags, Mode::empty())?), &bytes[at + 1..])
            }
            // The root has no name that could be made, renamed or removed.
            None if bytes.is_empty() => return Err(Errno::INVAL),
            None => (Folder::Root(root), bytes),
        };
        Ok(Place { folder, name })
    }
}

/// What bears this name in an open folder: through no link, into no mount, and only to be asked and changed.
pub(crate) fn open_entry(folder: BorrowedFd<'_>, name: &CStr) -> Result<OwnedFd, Errno> {
    confined(CONFINED, folder, name.to_bytes(), OFlags::PATH, Mode::empty())
}

/// The same folder, to be read.
fn reopen(folder: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    retry_on_intr(|| rustix::fs::openat(folder, c".", flags, Mode::empty()))
}

fn resolve(root: BorrowedFd<'_>, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    resolve_as(CONFINED, root, path, flags, mode)
}

fn resolve_as(
    how: ResolveFlags,
    root: BorrowedFd<'_>,
    mut path: &[u8],
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd, Errno> {
    let mut step: Option<OwnedFd> = None;
    while path.len() > STEP_BYTES_MAX {
        let at = path[..STEP_BYTES_MAX].iter().rposition(|&b| b == b'/').ok_or(Errno::NAMETOOLONG)?;
        let from = step.as_ref().map_or(root, AsFd::as_fd);
        step = Some(confined(how, from, &path[..at], OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?);
        path = &path[at + 1..];
    }
    let from = step.as_ref().map_or(root, AsFd::as_fd);
    confined(how, from, if path.is_empty() { b"." } else { path }, flags, mode)
}

fn confined(how: ResolveFlags, from: BorrowedFd<'_>, path: &[u8], flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    retry_on_intr(|| openat2(from, path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode, how))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_root_below_another_is_reached_through_no_link_not_even_one_that_stays_inside() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("in/deep")).unwrap();
        for (to, link) in [("/etc", "out"), ("..", "up"), ("in", "again"), ("/proc/self/cwd", "magic")] {
            std::os::unix::fs::symlink(to, folder.path().join(link)).unwrap();
        }
        let root = Root::open_at(folder.path()).unwrap();
        let real = root.path().unwrap();
        for inside in ["in", "in/deep"] {
            assert_eq!(root.open_below(&path(inside)).unwrap().path().unwrap(), real.join(inside));
        }
        assert_eq!(root.open_below(&RelPath::root()).unwrap().path().unwrap(), real);
        for link in ["out", "up", "again", "again/deep", "magic", "out/ssl"] {
            assert!(matches!(root.open_below(&path(link)), Err(Errno::LOOP | Errno::NOTDIR)), "{link}");
        }
        std::fs::remove_dir_all(folder.path().join("in")).unwrap();
        assert_eq!(root.open_below(&path("in")).unwrap_err(), Errno::NOENT);
    }
}
