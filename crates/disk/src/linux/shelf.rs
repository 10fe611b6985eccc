//! The records of a mirror, opened when first needed.
//!
//! Most mirrors never record anything: then there is no database, and asking costs one atomic load.

use crate::linux::fault;
use crate::linux::root::Root;
use crate::linux::{stat, tree};
use crate::records::Records;
use octo_core::{Code, Error, Kind, RelPath};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Where the records are, or will be.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    /// Known not to exist. Only this process makes it, so it stays true until then.
    absent: AtomicBool,
    records: Mutex<Option<Records>>,
}

impl Shelf {
    /// Works on the records if there are any.
    pub(crate) fn read<T>(
        &self,
        root: &Root,
        work: impl FnOnce(&mut Records) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        if self.absent.load(Ordering::Acquire) {
            return Ok(None);
        }
        let mut slot = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            *slot = open(root, OFlags::empty())?;
        }
        match slot.as_mut() {
            Some(records) => work(records).map(Some),
            None => {
                self.absent.store(true, Ordering::Release);
                Ok(None)
            }
        }
    }

    /// Works on the records, making them if there are none.
    pub(crate) fn write<T>(
        &self,
        root: &Root,
        work: impl FnOnce(&mut Records) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut slot = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            make_folders(root)?;
            *slot = open(root, OFlags::CREATE)?;
            // Once, so that every later commit is reachable by name.
            for folder in [folder(), path(octo_core::RESERVED), RelPath::root()] {
                tree::sync_folder(root, &folder).map_err(|errno| fault::target(errno, "syncing", &folder))?;
            }
            self.absent.store(slot.is_none(), Ordering::Release);
        }
        match slot.as_mut() {
            Some(records) => work(records),
            None => Err(Error::new(Code::TargetFailed, "meta.db vanished while it was made")),
        }
    }
}

fn folder() -> RelPath {
    path(".octobackup/meta")
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap_or_default()
}

fn make_folders(root: &Root) -> Result<(), Error> {
    for folder in [path(octo_core::RESERVED), folder()] {
        let made = root.place(&folder).and_then(|place| rustix::fs::mkdirat(&place, place.name, Mode::RWXU));
        match made {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(fault::target(errno, "making", &folder)),
        }
    }
    Ok(())
}

/// The file is opened by us first, confined to the root. The database then opens it by the path that its folder's handle
/// has at this moment, and follows no link in the last step either (SQLite opens with `O_NOFOLLOW`).
fn open(root: &Root, create: OFlags) -> Result<Option<Records>, Error> {
    let file = path(".octobackup/meta/meta.db");
    let failed = |errno| fault::target(errno, "opening", &file);
    let flags = OFlags::RDWR | OFlags::NONBLOCK | create;
    let mode = if create.is_empty() { Mode::empty() } else { Mode::RUSR | Mode::WUSR };
    let handle = match root.open(&file, flags, mode) {
        Err(Errno::NOENT) if create.is_empty() => return Ok(None),
        other => other.map_err(failed)?,
    };
    if stat::kind(&stat::of_handle(&handle).map_err(failed)?) != Kind::File {
        return Err(Error::new(Code::RecordsDamaged, format!("{file} is not a file")));
    }
    // Closing a handle of a file drops the POSIX locks this process has on it: close ours before SQLite takes its own.
    drop(handle);
    let folder = root.open(&folder(), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).map_err(failed)?;
    let there = std::fs::read_link(format!("/proc/thread-self/fd/{}", folder.as_raw_fd()))
        .map_err(|error| Error::new(Code::TargetFailed, format!("finding the place of {file}: {error}")))?;
    Records::open(&there.join("meta.db")).map(Some)
}
