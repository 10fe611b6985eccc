//! Finding out what a filesystem can do, by doing it in a folder of our own.
//!
//! It must leave nothing behind, and never touches what it did not make.

use crate::linux::nameless::private_name;
use crate::linux::{fault, filesystem, listing, stat};
use crate::times;
use octo_core::{Abilities, NameRules, TimeRules, Timestamp};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

const FILE: OFlags =
    OFlags::RDWR.union(OFlags::CREATE).union(OFlags::EXCL).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

const FORBIDDEN_SOMEWHERE: &str = "<>:\"|?*\\";
const NAME_BYTES: usize = 255;
const PREFIX: &str = ".octobackup-probe-";
/// Left-over probe folders removed at once.
const LEFT_MAX: usize = 100;

/// Probes the filesystem in a private folder below `parent`, which is removed again; so are those that a killed process
/// left there.
pub(crate) fn probe(parent: BorrowedFd<'_>) -> Result<Abilities, Errno> {
    sweep(parent)?;
    let name = private_name(PREFIX);
    rustix::fs::mkdirat(parent, name.as_str(), Mode::RWXU)?;
    let probed = rustix::fs::openat(parent, name.as_str(), FOLDER, Mode::empty()).and_then(|folder| {
        // Tells others that this is not left over. Where locks are not to be had, nothing is swept either.
        let _ = rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive);
        let probed = abilities(folder.as_fd());
        empty(folder.as_fd())?;
        probed
    });
    let removed = rustix::fs::unlinkat(parent, name.as_str(), AtFlags::REMOVEDIR);
    let abilities = probed?;
    removed?;
    Ok(abilities)
}

/// A probe folder in a new target would make it look like somebody's folder for ever.
fn sweep(parent: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut left = Vec::new();
    let is_ours = |name: &[u8]| {
        let random = name.strip_prefix(PREFIX.as_bytes());
        random.is_some_and(|random| random.len() == 16 && random.iter().all(u8::is_ascii_hexdigit))
    };
    let _ = listing::for_each_name(reopened(parent)?.as_fd(), |name| {
        if is_ours(name.to_bytes()) && left.len() < LEFT_MAX {
            left.push(name.to_owned());
        }
        ControlFlow::Continue(())
    })?;
    for name in left {
        let Ok(folder) = rustix::fs::openat(parent, name.as_c_str(), FOLDER, Mode::empty()) else { continue };
        if rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive).is_ok() && empty(folder.as_fd()).is_ok()
        {
            let _ = rustix::fs::unlinkat(parent, name.as_c_str(), AtFlags::REMOVEDIR);
        }
    }
    Ok(())
}

fn abilities(folder: BorrowedFd<'_>) -> Result<Abilities, Errno> {
    let filesystem = filesystem::name(folder);
    let file = rustix::fs::openat(folder, c"file", FILE, PRIVATE)?;
    let times = times(&file)?;
    drop(file);
    Ok(Abilities {
        hard_links: rustix::fs::linkat(folder, c"file", folder, c"link", AtFlags::empty()).is_ok()
            && stat::of_name(folder, c"link").is_ok_and(|link| link.stx_nlink == 2),
        rename_noreplace: refuses_to_replace(folder)?,
        symlinks: rustix::fs::symlinkat(c"some/where", folder, c"symlink").is_ok()
            && rustix::fs::readlinkat(folder, c"symlink", Vec::new())
                .is_ok_and(|text| text.to_bytes() == b"some/where"),
        whole_sync: filesystem::syncs_as_a_whole(&filesystem),
        times,
        names: names(folder)?,
        filesystem,
    })
}

fn refuses_to_replace(folder: BorrowedFd<'_>) -> Result<bool, Errno> {
    for name in [c"old", c"new"] {
        drop(rustix::fs::openat(folder, name, FILE, PRIVATE)?);
    }
    let rename = |to| rustix::fs::renameat_with(folder, c"old", folder, to, RenameFlags::NOREPLACE);
    Ok(rename(c"new") == Err(Errno::EXIST) && rename(c"newer").is_ok())
}

fn times(file: &OwnedFd) -> Result<TimeRules, Errno> {
    let stored = |time: Timestamp| -> Result<Timestamp, Errno> {
        rustix::fs::futimens(file, &stat::write_time(time))?;
        Ok(stat::timestamp(&stat::of_handle(file)?.stx_mtime))
    };
    times::rules(stored)?.ok_or(fault::NO_TIMES)
}

fn names(folder: BorrowedFd<'_>) -> Result<NameRules, Errno> {
    let lengths = (1..=NAME_BYTES).rev();
    let mut length_max = 0;
    for length in lengths {
        if holds(folder, &vec![b'n'; length])? {
            length_max = length;
            break;
        }
    }
    drop(rustix::fs::openat(folder, c"Folded", FILE, PRIVATE)?);
    let mut forbidden = String::new();
    for c in FORBIDDEN_SOMEWHERE.chars() {
        if !holds(folder, format!("x{c}y").as_bytes())? {
            forbidden.push(c);
        }
    }
    let mut windows_rules = false;
    for name in [&b"dot."[..], b"space ", b"nul", b"aux.txt", b"x\x01y"] {
        windows_rules |= !holds(folder, name)?;
    }
    Ok(NameRules {
        length_max,
        counts_utf16: false,
        folds_case: stat::of_name(folder, c"fOLDED").is_ok(),
        forbidden,
        utf8_only: !(holds(folder, b"x\xFFy")? && holds(folder, b"x\xED\xA0\x80y")?),
        windows_rules,
    })
}

/// Whether a file can have exactly this name: it is made, looked for in the listing, and removed.
fn holds(folder: BorrowedFd<'_>, name: &[u8]) -> Result<bool, Errno> {
    let Ok(file) = rustix::fs::openat(folder, name, FILE, PRIVATE) else { return Ok(false) };
    drop(file);
    let flow = listing::for_each_name(reopened(folder)?.as_fd(), |listed| {
        if listed.to_bytes() == name { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    rustix::fs::unlinkat(folder, name, AtFlags::empty())?;
    Ok(flow.is_break())
}

/// The same folder by a handle of its own: reading goes on where the last reading by a handle ended, and btrfs shows by a
/// handle only what was there when it was opened.
fn reopened(folder: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(folder, c".", FOLDER, Mode::empty())
}

/// Removes the files in a folder that only we know. Never goes into subfolders: there are none.
fn empty(folder: BorrowedFd<'_>) -> Result<(), Errno> {
    let mut names = Vec::new();
    let _ = listing::for_each_name(reopened(folder)?.as_fd(), |name| {
        names.push(name.to_owned());
        ControlFlow::Continue(())
    })?;
    names.iter().try_for_each(|name| rustix::fs::unlinkat(folder, name.as_c_str(), AtFlags::empty()))
}
