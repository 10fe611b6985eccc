//! The permissions of what is in a mirror already: the same that new entries get (DESIGN rule 9).
//!
//! A run repairs while it lists, once the mirror is locked; so nothing is read for it twice. It must never change what is
//! outside the mirror: an entry is opened by its name in the open folder, through no link and into no mount, and changed by
//! that handle, with the rights of the mirror's owner. Modes of hard links are those of the file: one that somebody may have
//! planted, to have a file of others changed, is left. What is left, and what belongs to another account, is a problem; but
//! not where the filesystem has no permissions of its own.

use crate::linux::root::{self, Root};
use crate::linux::stat;
use crate::linux::{filesystem, owner};
use crate::options::Modes;
use octo_core::printable::counted;
use octo_core::{Code, Error, Kind, Name, RESERVED, RelPath};
use rustix::fs::{Mode, OFlags, Statx, StatxAttributes};
use rustix::io::Errno;
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::OnceLock;
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
    /// The account of the mirror; `None` if this is no mirror yet.
    owner: OnceLock<Option<u32>>,
    /// The system lets nobody link to what is not their own (proc_sys_fs(5)).
    links_are_protected: bool,
}

/// What became of an entry whose permissions are to be others.
enum Set {
    Done,
    /// The filesystem says yes and changes nothing.
    Fixed,
    /// Somebody exchanged it: it is looked at in the next run.
    Exchanged,
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
            owner: OnceLock::new(),
            links_are_protected: std::fs::read("/proc/sys/fs/protected_hardlinks").is_ok_and(|on| on.starts_with(b"1")),
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
            // Whose they are was demanded before.
            let _ = self.compare(&stat, self.modes.of_folder(&path), &mut found, |wanted| set(root, &folder, wanted));
        }
        self.add(found);
    }

    /// One entry of a folder of the mirror. Tells what is wrong with it and stays so.
    pub(crate) fn entry(
        &self,
        (root, path): (&Root, &RelPath),
        (folder, name): (BorrowedFd<'_>, &CStr),
        stat: &Statx,
        found: &mut Found,
    ) -> Option<Error> {
        let is_own = |name: &Name| name.as_bytes() == RESERVED.as_bytes() || filesystem::keeps_for_itself(root, name);
        if Modes::is_reserved(path) || (path.is_root() && Name::new(name.to_bytes()).is_ok_and(|name| is_own(&name))) {
            return None;
        }
        // A mount of the same filesystem; to change it would fail as well.
        if stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) || !self.repair {
            return None;
        }
        let wanted = match stat::kind(stat) {
            Kind::File => self.modes.of_file(),
            Kind::Folder => self.modes.of_folder(path),
            _ => return None,
        };
        let owner = *self.owner.get_or_init(|| owner::of_mirror(root));
        let is_foreign = owner.is_some_and(|owner| owner != stat.stx_uid);
        let is = u32::from(stat.stx_mode) & 0o7777;
        let problem = |why: String| Some(Error::new(Code::TargetDenied, why));
        let may_be_planted =
            stat.stx_nlink > 1 && stat::kind(stat) == Kind::File && (is_foreign || !self.links_are_protected);
        if may_be_planted && is != wanted {
            return problem(format!(
                "its permissions are {is:04o} and were not changed: it has another name (a hard link), and may be a file of \
                 somebody else; remove it here, and the next run copies it again"
            ));
        }
        let done = self.compare(stat, wanted, found, |wanted| {
            let entry = root::open_entry(folder, name)?;
            let now = stat::of_handle(&entry)?;
            let identity = |of: &Statx| (of.stx_ino, of.stx_uid, of.stx_nlink.min(2), stat::kind(of));
            if identity(&now) == identity(stat) { set(root, &entry, wanted) } else { Ok(Set::Exchanged) }
        });
        match done {
            Err(errno) if is_foreign || is_locked_by_attribute(stat) => {
                problem(format!("its permissions are {is:04o} and cannot be changed to {wanted:04o}: {errno}"))
            }
            _ if is_foreign => {
                let (is, ours) = (owner::called(stat.stx_uid), owner::called(owner.unwrap_or_default()));
                problem(format!(
                    "it belongs to {is}, and the mirror to {ours}; chown it, or remove it, and the next run copies it again"
                ))
            }
            _ => None,
        }
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
        let entries = |n| counted(n, "entry", "entries");
        let looser = |n| format!("{} of the mirror had looser permissions than {private}: {repaired}", entries(n));
        let other = |n| format!("{} of the mirror had other permissions than {private}: they {set}", entries(n));
        let counted = |count: &AtomicU64| Some(count.load(Relaxed)).filter(|n| *n > 0);
        counted(&self.looser).map(looser).into_iter().chain(counted(&self.other).map(other)).collect()
    }

    fn add(&self, found: Found) {
        self.looser.fetch_add(found.looser, Relaxed);
        self.other.fetch_add(found.other, Relaxed);
    }

    fn compare(
        &self,
        stat: &Statx,
        wanted: u32,
        found: &mut Found,
        repair: impl FnOnce(u32) -> Result<Set, Errno>,
    ) -> Result<(), Errno> {
        let is = u32::from(stat.stx_mode) & 0o7777;
        if is == wanted || !self.repair || self.are_fixed.load(Relaxed) {
            return Ok(());
        }
        if self.is_locked.load(Relaxed) {
            match repair(wanted)? {
                Set::Done => {}
                Set::Fixed => {
                    self.are_fixed.store(true, Relaxed);
                    return Ok(());
                }
                Set::Exchanged => return Ok(()),
            }
        }
        let count = if is & !wanted != 0 { &mut found.looser } else { &mut found.other };
        *count += 1;
        Ok(())
    }
}

/// Whether chattr(1) made it unchangeable.
fn is_locked_by_attribute(stat: &Statx) -> bool {
    stat.stx_attributes.intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND)
}

/// Tells whether it helped.
fn set(root: &Root, entry: &impl AsFd, wanted: u32) -> Result<Set, Errno> {
    // A handle that neither reads nor writes is enough this way, and what its owner may not open is changed too.
    let path = format!("/proc/thread-self/fd/{}", entry.as_fd().as_raw_fd());
    root.as_owner(|| rustix::fs::chmod(path, Mode::from_raw_mode(wanted)))??;
    let is = u32::from(stat::of_handle(entry)?.stx_mode) & 0o7777;
    Ok(if is == wanted { Set::Done } else { Set::Fixed })
}
