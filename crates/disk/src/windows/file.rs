//! An open file of the mirror.

use crate::windows::Handle;
use crate::windows::fault::{self, Fault};
use crate::windows::stat::{self, Side};
use octo_core::{Error, Meta, RelPath, TargetFile, TimeRules, Timestamp};
use std::os::windows::fs::FileExt;

/// A file of the mirror, by its handle.
#[derive(Debug)]
pub(crate) struct DiskFile {
    pub(crate) handle: Handle,
    /// For messages only.
    pub(crate) path: RelPath,
    pub(crate) times: TimeRules,
    pub(crate) volume: u64,
}

/// Reads up to `buffer.len()` bytes; 0 at the end.
pub(crate) fn read_at(handle: &Handle, buffer: &mut [u8], offset_bytes: u64) -> Result<usize, Fault> {
    within_reach(offset_bytes, buffer.len())?;
    Ok(handle.seek_read(buffer, offset_bytes)?)
}

/// Windows takes some negative offsets for "at the end" and "where it is now".
fn within_reach(offset_bytes: u64, len: usize) -> Result<(), Fault> {
    let end = offset_bytes.checked_add(len as u64).and_then(|end| i64::try_from(end).ok());
    end.map(|_| ()).ok_or(fault::BAD_ARGUMENT)
}

impl TargetFile for DiskFile {
    fn write_at(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), Error> {
        let failed = |fault| fault::target(fault, "writing", &self.path);
        within_reach(offset_bytes, bytes.len()).map_err(failed)?;
        let mut at = 0usize;
        while at < bytes.len() {
            match self.handle.seek_write(&bytes[at..], offset_bytes + at as u64) {
                Ok(0) => return Err(failed(fault::BAD_DATA)),
                Ok(written) => at += written,
                Err(error) => return Err(failed(error.into())),
            }
        }
        Ok(())
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        read_at(&self.handle, buffer, offset_bytes).map_err(|fault| fault::target(fault, "reading", &self.path))
    }

    fn set_len(&self, size_bytes: u64) -> Result<(), Error> {
        let failed = |fault| fault::target(fault, "setting the length of", &self.path);
        within_reach(size_bytes, 0).map_err(failed)?;
        self.handle.set_len(size_bytes).map_err(|error| failed(error.into()))
    }

    fn sync(&self) -> Result<(), Error> {
        self.handle.sync_all().map_err(|error| fault::target(error.into(), "syncing", &self.path))
    }

    fn set_times(&self, write: Timestamp, creation: Option<Timestamp>) -> Result<(), Error> {
        stat::set_times(&self.handle, self.times.represent(write), creation)
            .map_err(|fault| fault::target(fault, "setting the time of", &self.path))
    }

    fn meta(&self) -> Result<Meta, Error> {
        let stat = stat::of_handle(&self.handle).map_err(|fault| fault::target(fault, "looking at", &self.path))?;
        Ok(stat::meta(&stat, Side::Mirror, Some(self.volume)))
    }
}
