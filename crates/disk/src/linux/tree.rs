//! The primitives on the disk itself, each one effect, each relative to the root handle.
//!
//! Knows nothing of records. Errors stay the kernel's here; [`fault`](crate::linux::fault) gives them a meaning.

use crate::linux::listing::{self, End};
use crate::linux::permissions::{Found, Permissions};
use crate::linux::root::{Place, Root};
use crate::linux::stat::{self, Side};
use octo_core::{Done, Kind, LinkTarget, LinkType, ListSink, RelPath, Timestamp};
use rustix::fs::{AtFlags, Mode, OFlags, RawMode, RenameFlags, Statx};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

/// The longest text that a symbolic link can have.
const LINK_BYTES_MAX: usize = 4095;

/// What is at a path.
#[expect(clippy::large_enum_variant, reason = "one at a time, on the stack, for a moment")]
pub(crate) enum EntryAtPath {
    /// An entry.
    Taken(Statx),
    /// Nothing, but its folder exists.
    Free,
    /// Not even its folder exists.
    NoFolder,
}

/// What is at `path` itself.
pub(crate) fn entry_at(root: &Root, path: &RelPath) -> Result<EntryAtPath, Errno> {
    if path.is_root() {
        return Ok(if root.exists() {
            EntryAtPath::Taken(stat::of_handle(root.handle()?)?)
        } else {
            EntryAtPath::NoFolder
        });
    }
    match root.place(path) {
        Err(Errno::NOENT) => Ok(EntryAtPath::NoFolder),
        Err(errno) => Err(errno),
        Ok(place) => match stat::of_name(&place, place.name) {
            Ok(stat) => Ok(EntryAtPath::Taken(stat)),
            Err(Errno::NOENT) => Ok(EntryAtPath::Free),
            Err(errno) => Err(errno),
        },
    }
}

/// Streams the entries of a folder of the mirror into `sink`, and looks at their permissions.
pub(crate) fn list(
    root: &Root,
    folder: &RelPath,
    volume: u64,
    permissions: &Permissions,
    sink: &mut dyn ListSink,
) -> Result<End, Errno> {
    let fd = root.open(folder, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
    let mut found = Found::default();
    let mut each = |name: &CStr, stat: &Statx| permissions.entry((root, folder), (fd.as_fd(), name), stat, &mut found);
    let end = listing::entries(fd.as_fd(), Side::Mirror, volume, &mut each, sink);
    permissions.listed(found, matches!(end, Ok(End::All)));
    end
}

/// Makes a folder with exactly these permissions, whatever umask and the parent's set-group bit say.
pub(crate) fn make_folder(root: &Root, path: &RelPath, mode: u32) -> Result<Done, Errno> {
    let mode = Mode::from_raw_mode(mode);
    let place = match root.place(path) {
        Err(Errno::NOENT) => return Ok(Done::Missing),
        other => other?,
    };
    let made = done(root.as_owner(|| rustix::fs::mkdirat(&place, place.name, mode))?)?;
    if made == Done::Yes {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        set_mode(&rustix::fs::openat(&place, place.name, flags, Mode::empty())?, mode)?;
    }
    Ok(made)
}

/// Makes a new, empty file with exactly these permissions.
pub(crate) fn create_file(root: &Root, path: &RelPath, mode: u32) -> Result<OwnedFd, Errno> {
    let mode = Mode::from_raw_mode(mode);
    let fd = root.open(path, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL, mode)?;
    set_mode(&fd, mode)?;
    Ok(fd)
}

fn set_mode(fd: &OwnedFd, mode: Mode) -> Result<(), Errno> {
    let is = RawMode::from(stat::of_handle(fd)?.stx_mode) & 0o7777;
    if is == mode.as_raw_mode() {
        return Ok(());
    }
    match rustix::fs::fchmod(fd, mode) {
        // FAT and its like have no permissions; the mount decides.
        Err(Errno::PERM | Errno::NOTSUP | Errno::INVAL) => Ok(()),
        other => other,
    }
}

/// Opens a regular file; `None` if nothing is there. For reading only where writing is not possible.
pub(crate) fn open_file(root: &Root, path: &RelPath) -> Result<Option<OwnedFd>, Errno> {
    // Not to wait for the other end of a pipe that somebody put there.
    let open = |access| root.open(path, access | OFlags::NONBLOCK, Mode::empty());
    let opened = match open(OFlags::RDWR) {
        Err(Errno::ACCESS | Errno::PERM | Errno::TXTBSY | Errno::ROFS) => open(OFlags::RDONLY),
        other => other,
    };
    let fd = match opened {
        Err(Errno::NOENT) => return Ok(None),
        // A socket.
        Err(Errno::NXIO) => return Err(Errno::LOOP),
        other => other?,
    };
    if stat::kind(&stat::of_handle(&fd)?) == Kind::File { Ok(Some(fd)) } else { Err(Errno::NOTDIR) }
}

/// Whether the filesystem can hold this link as a symbolic link.
pub(crate) fn can_link(link: &LinkTarget) -> bool {
    link.kind == LinkType::Posix && (1..=LINK_BYTES_MAX).contains(&link.data.len()) && !link.data.contains(&0)
}

/// Makes a symbolic link, verbatim.
pub(crate) fn make_link(root: &Root, path: &RelPath, data: &[u8], write: Timestamp) -> Result<Done, Errno> {
    let place = match root.place(path) {
        Err(Errno::NOENT) => return Ok(Done::Missing),
        other => other?,
    };
    let made = done(root.as_owner(|| rustix::fs::symlinkat(data, &place, place.name))?)?;
    if made == Done::Yes {
        rustix::fs::utimensat(&place, place.name, &stat::write_time(write), AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(made)
}

/// Where a symbolic link points to; `None` if there is something else or nothing.
pub(crate) fn read_link(root: &Root, path: &RelPath) -> Result<Option<LinkTarget>, Errno> {
    let place = match root.place(path) {
        Err(Errno::NOENT | Errno::INVAL) => return Ok(None),
        other => other?,
    };
    match rustix::fs::readlinkat(&place, place.name, Vec::new()) {
        Ok(text) => Ok(Some(LinkTarget { kind: LinkType::Posix, data: text.into_bytes() })),
        Err(Errno::INVAL | Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// A second name. Of a link, the link itself.
pub(crate) fn hard_link(root: &Root, from: &RelPath, to: &RelPath) -> Result<Done, Errno> {
    between(root, from, to, |from, to| rustix::fs::linkat(from, from.name, to, to.name, AtFlags::empty()))
}

/// A rename that replaces a file or link.
pub(crate) fn rename_over(root: &Root, from: &RelPath, to: &RelPath) -> Result<Done, Errno> {
    match between(root, from, to, |from, to| rustix::fs::renameat(from, from.name, to, to.name))? {
        // A folder was to be replaced.
        Done::Exists | Done::NotEmpty => Err(Errno::ISDIR),
        other => Ok(other),
    }
}

/// A rename that replaces nothing; where the filesystem cannot promise that, after a look.
pub(crate) fn rename_new(root: &Root, from: &RelPath, to: &RelPath, noreplace: bool) -> Result<Done, Errno> {
    between(root, from, to, |from, to| {
        if noreplace {
            return rustix::fs::renameat_with(from, from.name, to, to.name, RenameFlags::NOREPLACE);
        }
        stat::of_name(from, from.name)?;
        match stat::of_name(to, to.name) {
            Ok(_) => Err(Errno::EXIST),
            Err(Errno::NOENT) => rustix::fs::renameat(from, from.name, to, to.name),
            Err(errno) => Err(errno),
        }
    })
}

/// Removes one name of a file or link.
pub(crate) fn remove_file(root: &Root, path: &RelPath) -> Result<Done, Errno> {
    remove(root, path, AtFlags::empty())
}

/// Removes an empty folder.
pub(crate) fn remove_folder(root: &Root, path: &RelPath) -> Result<Done, Errno> {
    match remove(root, path, AtFlags::REMOVEDIR)? {
        // Some filesystems say so where others say "not empty".
        Done::Exists => Ok(Done::NotEmpty),
        other => Ok(other),
    }
}

fn remove(root: &Root, path: &RelPath, flags: AtFlags) -> Result<Done, Errno> {
    match root.place(path) {
        Err(Errno::NOENT) => Ok(Done::Missing),
        Err(errno) => Err(errno),
        Ok(place) => done(rustix::fs::unlinkat(&place, place.name, flags)),
    }
}

/// Sets the last write time of whatever is there; Linux lets nobody set the creation time. `Done::Missing` if nothing is.
pub(crate) fn set_time(
    root: &Root,
    path: &RelPath,
    write: Timestamp,
    _creation: Option<Timestamp>,
) -> Result<Done, Errno> {
    // By handle, so that the root of a mounted filesystem is refused too.
    match root.open(path, OFlags::PATH, Mode::empty()) {
        Err(Errno::NOENT) => Ok(Done::Missing),
        Err(errno) => Err(errno),
        Ok(fd) => done(rustix::fs::utimensat(&fd, c"", &stat::write_time(write), AtFlags::EMPTY_PATH)),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(root: &Root, path: &RelPath) -> Result<(), Errno> {
    let fd = root.open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty())?;
    match rustix::io::retry_on_intr(|| rustix::fs::fsync(&fd)) {
        // Filesystems whose folders need no syncing.
        Err(Errno::INVAL) => Ok(()),
        other => other,
    }
}

fn between(
    root: &Root,
    from: &RelPath,
    to: &RelPath,
    act: impl FnOnce(&Place<'_>, &Place<'_>) -> Result<(), Errno>,
) -> Result<Done, Errno> {
    let places = root.place(from).and_then(|from| Ok((from, root.place(to)?)));
    match places {
        Err(Errno::NOENT) => Ok(Done::Missing),
        Err(errno) => Err(errno),
        Ok((from, to)) => done(act(&from, &to)),
    }
}

fn done(result: Result<(), Errno>) -> Result<Done, Errno> {
    match result {
        Ok(()) => Ok(Done::Yes),
        Err(Errno::EXIST) => Ok(Done::Exists),
        Err(Errno::NOENT) => Ok(Done::Missing),
        Err(Errno::NOTEMPTY) => Ok(Done::NotEmpty),
        Err(errno) => Err(errno),
    }
}
