//! The permissions of what is in a mirror already: the same that new entries get (DESIGN rule 9).
//!
//! A run repairs while it lists, once the mirror is locked; so nothing is read for it twice. It must never change what is
//! outside the mirror: an entry is opened by its name in the open folder, through no link and into no mount, and changed by
//! that handle, with the rights of the mirror's owner. Modes of hard links are those of the file. What cannot be changed is
//! left: many filesystems have no permissions of their own.

use crate::linux::filesystem;
use crate::linux::root::{self, Root};
use crate::linux::stat;
use crate::options::Modes;
use octo_core::{Kind, Name, RESERVED, RelPath};
use rustix::fs::{Mode, OFlags, Statx, StatxAttributes};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// What permissions are to be, and how many were not.
#[derive(Debug)]
pub(crate) struct Permissions {
    modes: Modes,
    /// This is a run, not somebody who only looks into the mirror.
    repair: bool,
    /// A dry run does not lock the mirror: it only counts.
    is_locked: AtomicBool,
    /// The filesystem says yes and changes nothing.
    are_fixed: AtomicBool,
    looser: AtomicU64,
    other: AtomicU64,
}

/// What one listing has found.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Found {
    looser: u64,
    other: u64,
}

impl Permissions {
    pub(crate) fn new(modes: Modes, repair: bool) -> Permissions {
        Permissions {
            modes,
            repair,
            is_locked: AtomicBool::new(false),
            are_fixed: AtomicBool::new(false),
            looser: AtomicU64::new(0),
            other: AtomicU64::new(0),
        }
    }

    /// The mirror is locked: its root and its reserved folder first, since they keep strangers out of all the rest.
    pub(crate) fn begin(&self, root: &Root) {
        self.is_locked.store(true, Relaxed);
        let mut found = Found::default();
        for path in [RelPath::root(), RelPath::parse(RESERVED.as_bytes()).unwrap_or_default()] {
            let flags = OFlags::PATH | OFlags::DIRECTORY;
            let Ok(folder) = root.open(&path, flags, Mode::empty()) else { continue };
            let Ok(stat) = stat::of_handle(&folder) else { continue };
            self.compare(&stat, self.modes.of_folder(&path), &mut found, |wanted| set(root, &folder, wanted));
        }
        self.add(found);
    }

    /// One entry of a folder of the mirror.
    pub(crate) fn entry(
        &self,
        (root, path): (&Root, &RelPath),
        (folder, name): (BorrowedFd<'_>, &CStr),
        stat: &Statx,
        found: &mut Found,
    ) {
        let is_own = |name: &Name| name.as_bytes() == RESERVED.as_bytes() || filesystem::keeps_for_itself(root, name);
        if Modes::is_reserved(path) || (path.is_root() && Name::new(name.to_bytes()).is_ok_and(|name| is_own(&name))) {
            return;
        }
        // A mount of the same filesystem; to change it would fail as well.
        if stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
            return;
        }
        let wanted = match stat::kind(stat) {
            Kind::File => self.modes.of_file(),
            Kind::Folder => self.modes.of_folder(path),
            _ => return,
        };
        self.compare(stat, wanted, found, |wanted| {
            let entry = root::open_entry(folder, name)?;
            let now = stat::of_handle(&entry)?;
            let is_same = now.stx_ino == stat.stx_ino && stat::kind(&now) == stat::kind(stat);
            // Somebody exchanged it: it is looked at in the next run.
            if is_same { set(root, &entry, wanted) } else { Err(Errno::NOENT) }
        });
    }

    /// A listing has ended. One that did not get to the end is made again where nothing was changed by it.
    pub(crate) fn listed(&self, found: Found, is_whole: bool) {
        if is_whole || self.is_locked.load(Relaxed) {
            self.add(found);
        }
    }

    pub(crate) fn remarks(&self) -> Vec<String> {
        let private = format!("{:04o}/{:04o}", self.modes.of_file(), self.modes.of_folder(&RelPath::root()));
        let (repaired, set) =
            if self.is_locked.load(Relaxed) { ("repaired", "were set") } else { ("would be repaired", "would be set") };
        let looser = |n| format!("{n} entries of the mirror had looser permissions than {private}: {repaired}");
        let other = |n| format!("{n} entries of the mirror had other permissions than {private}: they {set}");
        let counted = |count: &AtomicU64| Some(count.load(Relaxed)).filter(|n| *n > 0);
        counted(&self.looser).map(looser).into_iter().chain(counted(&self.other).map(other)).collect()
    }

    fn add(&self, found: Found) {
        self.looser.fetch_add(found.looser, Relaxed);
        self.other.fetch_add(found.other, Relaxed);
    }

    fn compare(&self, stat: &Statx, wanted: u32, found: &mut Found, repair: impl FnOnce(u32) -> Result<bool, Errno>) {
        let is = u32::from(stat.stx_mode) & 0o7777;
        if is == wanted || !self.repair || self.are_fixed.load(Relaxed) {
            return;
        }
        if self.is_locked.load(Relaxed) {
            match repair(wanted) {
                Ok(true) => {}
                Ok(false) => return self.are_fixed.store(true, Relaxed),
                Err(_) => return,
            }
        }
        let count = if is & !wanted != 0 { &mut found.looser } else { &mut found.other };
        *count += 1;
    }
}

/// Tells whether it helped.
fn set(root: &Root, entry: &impl AsFd, wanted: u32) -> Result<bool, Errno> {
    // A handle that neither reads nor writes is enough this way, and what its owner may not open is changed too.
    let path = format!("/proc/thread-self/fd/{}", entry.as_fd().as_raw_fd());
    root.as_owner(|| rustix::fs::chmod(path, Mode::from_raw_mode(wanted)))??;
    Ok(u32::from(stat::of_handle(entry)?.stx_mode) & 0o7777 == wanted)
}
