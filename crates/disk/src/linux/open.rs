//! Opening a target: its root, its nearest folder that exists, and what its filesystem can do. And what a target needs
//! from outside of itself.

use crate::linux::root::Root;
use crate::linux::{fault, nameless, probe, safe_path};
use crate::reserved;
use octo_core::{Abilities, Code, Error, RelPath};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

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

/// Makes the target's folder, and those above it, private, each below the handle of the one before.
pub(crate) fn make_root(path: &Path) -> Result<(), Error> {
    let make = || {
        let followed = safe_path::follow(path)?;
        let mut folder = followed.folder;
        for name in followed.missing {
            match rustix::fs::mkdirat(&folder, &name, Mode::RWXU) {
                Err(Errno::EXIST) if name != ".." => {}
                other => other?,
            }
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            folder = rustix::fs::openat(&folder, &name, flags, Mode::empty())?;
        }
        Ok(())
    };
    make().map_err(|errno: Errno| {
        Error::new(open_code(errno), format!("making {}: {}", path.display(), fault::of_path(errno)))
    })
}

/// The folder at `path`, or the nearest one above it that exists.
pub(crate) fn nearest_folder(path: &Path) -> Result<OwnedFd, Errno> {
    safe_path::follow(path).map(|followed| followed.folder)
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
    root.open(tmp, flags, Mode::empty()).and_then(nameless::nameless).or_else(|_| {
        let folder = system_temporary()?;
        nameless::nameless(&folder).or_else(|_| nameless::unlinked(&folder))
    })
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
