//! The records of a mirror, opened when first needed, and for changes when first changed: who only asks leaves no trace.
//!
//! Most mirrors never record anything: then there is no database, and asking costs one atomic load.

use crate::os::database::{self, DatabasePlace};
use crate::os::root::Root;
use crate::os::{fault, tree};
use crate::records::{Purpose, Records};
use octo_core::{Code, Done, Error, RelPath};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where the records are, or will be.
#[derive(Debug, Default)]
pub(crate) struct LazyRecords {
    /// Known not to exist. Only this process makes it, so it stays true until then.
    absent: AtomicBool,
    /// There never are any.
    none: bool,
    /// Before the way to them, which they need as long as they are open.
    records: Mutex<Option<(Records, DatabasePlace)>>,
}

impl LazyRecords {
    /// Of a mirror, or of another folder: there, there are none, and none are made.
    pub(crate) fn of(mirror: bool) -> LazyRecords {
        LazyRecords { absent: AtomicBool::new(!mirror), none: !mirror, ..LazyRecords::default() }
    }

    /// Whether something can be recorded.
    pub(crate) fn can_record(&self) -> bool {
        !self.none
    }

    /// Looks something up, if there are records.
    pub(crate) fn read<T>(
        &self,
        root: &Root,
        work: impl FnOnce(&Records) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.existing(root, Purpose::Looking, |records| work(records))
    }

    /// Works on the records if there are any.
    pub(crate) fn change<T>(
        &self,
        root: &Root,
        work: impl FnOnce(&mut Records) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.existing(root, Purpose::Changing, work)
    }

    fn existing<T>(
        &self,
        root: &Root,
        purpose: Purpose,
        work: impl FnOnce(&mut Records) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        if self.absent.load(Ordering::Acquire) {
            return Ok(None);
        }
        let mut slot = self.slot();
        if !slot.as_ref().is_some_and(|(records, _)| records.serves(purpose)) {
            *slot = None;
            *slot = open_records(root, purpose, false)?;
        }
        match slot.as_mut() {
            Some((records, _)) => {
                let worked = work(records);
                worked.map(Some).map_err(|error| records.judged(error))
            }
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
        if self.none {
            let what = "this filesystem cannot hold it, and outside a mirror there is no place to record it";
            return Err(Error::new(Code::TargetEntry, what));
        }
        let mut slot = self.slot();
        if !slot.as_ref().is_some_and(|(records, _)| records.serves(Purpose::Changing)) {
            *slot = None;
            make_folders(root)?;
            *slot = open_records(root, Purpose::Changing, true)?;
            // Once, so that every later commit is reachable by name.
            for folder in [folder(), path(octo_core::RESERVED), RelPath::root()] {
                tree::sync_folder(root, &folder).map_err(|fault| fault::target(fault, "syncing", &folder))?;
            }
            self.absent.store(slot.is_none(), Ordering::Release);
        }
        match slot.as_mut() {
            Some((records, _)) => work(records),
            None => Err(Error::new(Code::TargetFailed, "meta.db vanished while it was made")),
        }
    }

    /// Forgets what was seen: before the mirror was locked, another process may have changed it since.
    pub(crate) fn look_again(&self) {
        *self.slot() = None;
        self.absent.store(self.none, Ordering::Release);
    }

    fn slot(&self) -> MutexGuard<'_, Option<(Records, DatabasePlace)>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
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
        let failed = |fault| fault::target(fault, "making", &folder);
        match tree::make_folder(root, &folder, 0o700).map_err(failed)? {
            Done::Yes | Done::Exists => {}
            Done::Missing | Done::NotEmpty => return Err(failed(fault::MISSING)),
        }
    }
    Ok(())
}

/// The file is opened by us first, confined to the root. The database then opens it by way of its folder's
/// handle, which is held as long.
fn open_records(root: &Root, purpose: Purpose, create: bool) -> Result<Option<(Records, DatabasePlace)>, Error> {
    let file = path(".octobackup/meta/meta.db");
    match database::place_of_file(root, &file, create) {
        Ok(None) => Ok(None),
        // With its log.
        Ok(Some(place)) => {
            let opened = root.as_owner(|| Records::open(&place.path, purpose));
            let opened = opened.map_err(|fault| fault::target(fault, "opening", &file))??;
            Ok(opened.map(|records| (records, place)))
        }
        Err(fault::IS_FOLDER) => Err(Error::new(Code::RecordsDamaged, format!("{file} is not a file"))),
        Err(fault) => Err(fault::target(fault, "opening", &file)),
    }
}
