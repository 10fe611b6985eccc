//! The way to a folder that a person named, step by step: a link on it counts only if no stranger can have put it there.
//!
//! That is the kernel's own rule for folders that everybody may write (`fs.protected_symlinks`, proc_sys_fs(5)), without
//! its conditions: it shall hold wherever a service runs as root. What is opened is a handle, so whatever is swapped
//! afterwards changes nothing any more.

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawMode, StatxFlags, statx};
use rustix::io::{Errno, retry_on_intr};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

/// As many links as the kernel follows.
const LINKS_MAX: usize = 40;
const ROOT_USER: u32 = 0;

/// How far a path leads.
pub(crate) struct FollowedPath {
    /// The last folder that is there.
    pub(crate) folder: OwnedFd,
    /// What is missing below it.
    pub(crate) missing: VecDeque<OsString>,
}

/// Follows `path`. A link that a stranger may have put there ends it with [`Errno::LOOP`].
pub(crate) fn follow(path: &Path) -> Result<FollowedPath, Errno> {
    let mut folder = open_folder(if path.is_absolute() { "/" } else { "." })?;
    let mut names: VecDeque<OsString> = names(path).collect();
    let mut links = 0;
    while let Some(name) = names.pop_front() {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = |flags| retry_on_intr(|| rustix::fs::openat(&folder, &name, flags, Mode::empty()));
        let next = match open(flags | OFlags::DIRECTORY) {
            // Perhaps a link.
            Err(Errno::NOTDIR | Errno::LOOP) => open(flags),
            other => other,
        };
        let next = match next {
            Err(Errno::NOENT) => {
                names.push_front(name);
                return Ok(FollowedPath { folder, missing: names });
            }
            other => other?,
        };
        let (kind, link) = owner_and_mode(&next)?;
        if kind == FileType::Directory {
            folder = next;
            continue;
        }
        if kind != FileType::Symlink {
            return Err(Errno::NOTDIR);
        }
        links += 1;
        if links > LINKS_MAX || !is_trusted(link.0, owner_and_mode(&folder)?.1, rustix::process::geteuid().as_raw()) {
            return Err(Errno::LOOP);
        }
        // Of the link that was judged, not of what may have its name by now.
        let text = rustix::fs::readlinkat(&next, c"", Vec::new())?;
        let text = Path::new(OsStr::from_bytes(text.as_bytes()));
        if text.is_absolute() {
            folder = open_folder("/")?;
        }
        for name in self::names(text).collect::<Vec<_>>().into_iter().rev() {
            names.push_front(name);
        }
    }
    Ok(FollowedPath { folder, missing: names })
}

/// `..` is a name like others: it means what is above the folder that was reached.
fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    })
}

fn open_folder(path: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))
}

fn owner_and_mode(fd: &OwnedFd) -> Result<(FileType, (u32, RawMode)), Errno> {
    let stat = statx(fd, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)?;
    let mode = RawMode::from(stat.stx_mode);
    Ok((FileType::from_raw_mode(mode), (stat.stx_uid, mode)))
}

/// A link of root or of our own user counts everywhere; that of another only where nobody but the folder's owner, who made
/// it, can write.
fn is_trusted(link_owner: u32, (folder_owner, folder_mode): (u32, RawMode), us: u32) -> bool {
    let (group, others) = (folder_mode & 0o020 != 0, folder_mode & 0o002 != 0);
    link_owner == ROOT_USER || link_owner == us || !others && (!group || link_owner == folder_owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_counts_only_if_no_stranger_can_have_put_it_there() {
        let (anna, bert, us) = (1001, 1002, 999);
        for folder in [(ROOT_USER, 0o1777), (ROOT_USER, 0o777), (anna, 0o1777)] {
            assert!(is_trusted(ROOT_USER, folder, us) && is_trusted(us, folder, us));
            assert!(!is_trusted(anna, folder, us), "{folder:?}");
        }
        assert!(is_trusted(anna, (anna, 0o755), us) && is_trusted(anna, (anna, 0o775), us));
        assert!(!is_trusted(bert, (anna, 0o775), us), "one of the group");
    }
}
