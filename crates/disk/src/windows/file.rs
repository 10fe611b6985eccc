//! An open file of the mirror.

use crate::holes;
use crate::windows::fault::{self, Fault};
use crate::windows::positioned::{self, within_reach, write_all_at};
use crate::windows::stat::{self, Side};
use crate::windows::{Handle, nt, sparse};
use octo_core::{Error, Meta, Ranges, RelPath, TargetFile, TimeRules, Timestamp};
use std::ops::Range;
use std::sync::OnceLock;
use windows_sys::Win32::System::Ioctl::{FSCTL_SET_SPARSE, FSCTL_SET_ZERO_DATA};

/// A file of the mirror, by its handle.
#[derive(Debug)]
pub(crate) struct DiskFile {
    handle: Handle,
    path: RelPath,
    times: TimeRules,
    volume: u64,
    /// Whether it may have holes; asked for when it first could have one.
    is_sparse: OnceLock<bool>,
}

impl DiskFile {
    /// The file that is open; `path` is for messages only.
    pub(crate) fn new(handle: Handle, path: RelPath, times: TimeRules, volume: u64) -> DiskFile {
        DiskFile { handle, path, times, volume, is_sparse: OnceLock::new() }
    }

    fn may_be_sparse(&self) -> bool {
        *self.is_sparse.get_or_init(|| nt::fs_tell(&self.handle, FSCTL_SET_SPARSE, &[]).is_ok())
    }

    /// Makes a range read as zeros without taking space, whatever was there.
    fn make_hole(&self, offset_bytes: u64, size_bytes: u64) -> Result<(), Fault> {
        let end = offset_bytes.checked_add(size_bytes).filter(|end| i64::try_from(*end).is_ok());
        let end = end.ok_or(fault::BAD_ARGUMENT)?;
        if !self.may_be_sparse() {
            return Err(fault::BAD_ARGUMENT);
        }
        let size = self.handle.metadata()?.len();
        if offset_bytes < size {
            // FILE_ZERO_DATA_INFORMATION: the first byte, and the first behind the last.
            nt::fs_tell(&self.handle, FSCTL_SET_ZERO_DATA, &[offset_bytes, end.min(size)])?;
        }
        if size < end { Ok(self.handle.set_len(end)?) } else { Ok(()) }
    }
}

impl TargetFile for DiskFile {
    fn write_at(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), Error> {
        let hole = |offset_bytes, size_bytes| self.make_hole(offset_bytes, size_bytes).is_ok();
        let write = |offset_bytes, bytes: &[u8]| write_all_at(&self.handle, bytes, offset_bytes).map(|()| bytes.len());
        holes::write(bytes, offset_bytes, hole, write).map_err(|fault| fault::target(fault, "writing", &self.path))
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        positioned::read_at(&self.handle, buffer, offset_bytes)
            .map_err(|fault| fault::target(fault, "reading", &self.path))
    }

    fn set_len(&self, size_bytes: u64) -> Result<(), Error> {
        let failed = |fault| fault::target(fault, "setting the length of", &self.path);
        within_reach(size_bytes, 0).map_err(failed)?;
        self.handle.set_len(size_bytes).map_err(|error| failed(error.into()))
    }

    fn can_have_holes(&self) -> bool {
        self.may_be_sparse()
    }

    fn clear(&self, range: Range<u64>) -> Result<(), Error> {
        if range.is_empty() || self.make_hole(range.start, range.end - range.start).is_ok() {
            return Ok(());
        }
        self.write_zeros(range)
    }

    fn holes(&self) -> Result<Ranges, Error> {
        Ok(sparse::holes(&self.handle))
    }

    fn sync(&self) -> Result<(), Error> {
        self.handle.sync_all().map_err(|error| fault::target(error.into(), "syncing", &self.path))
    }

    fn set_times(&self, write: Timestamp, creation: Option<Timestamp>) -> Result<(), Error> {
        stat::set_times(&self.handle, self.times.stored(write), creation)
            .map_err(|fault| fault::target(fault, "setting the time of", &self.path))
    }

    fn meta(&self) -> Result<Meta, Error> {
        let stat = stat::of_handle(&self.handle).map_err(|fault| fault::target(fault, "looking at", &self.path))?;
        Ok(stat::meta(&stat, Side::Mirror, Some(self.volume)))
    }
}
