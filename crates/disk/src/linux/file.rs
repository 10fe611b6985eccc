//! An open file of the mirror.

use crate::holes;
use crate::linux::stat::Side;
use crate::linux::{fault, sparse, stat};
use octo_core::{Error, Meta, Ranges, RelPath, TargetFile, TimeRules, Timestamp};
use rustix::fs::{Advice, FallocateFlags};
use rustix::io::{Errno, pread, pwrite, retry_on_intr};
use std::ops::Range;
use std::os::fd::OwnedFd;

/// A file of the mirror, by its handle.
#[derive(Debug)]
pub(crate) struct DiskFile {
    handle: OwnedFd,
    path: RelPath,
    times: TimeRules,
    volume: u64,
}

impl TargetFile for DiskFile {
    fn write_at(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), Error> {
        let hole = |offset_bytes, size_bytes| self.make_hole(offset_bytes, size_bytes).is_ok();
        let write = |offset_bytes, bytes: &[u8]| match retry_on_intr(|| pwrite(&self.handle, bytes, offset_bytes)) {
            Ok(0) => Err(Errno::IO),
            written => written,
        };
        holes::write(bytes, offset_bytes, hole, write).map_err(|errno| fault::target(errno, "writing", &self.path))
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        retry_on_intr(|| pread(&self.handle, &mut *buffer, offset_bytes))
            .map_err(|errno| fault::target(errno, "reading", &self.path))
    }

    fn set_len(&self, size_bytes: u64) -> Result<(), Error> {
        retry_on_intr(|| rustix::fs::ftruncate(&self.handle, size_bytes))
            .map_err(|errno| fault::target(errno, "setting the length of", &self.path))
    }

    fn can_have_holes(&self) -> bool {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        // Behind the end there is nothing that could be lost.
        let end = self.meta().map_or(u64::MAX, |meta| meta.size_bytes).next_multiple_of(1 << 20);
        retry_on_intr(|| rustix::fs::fallocate(&self.handle, flags, end, 1 << 20)).is_ok()
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

    fn sync_soon(&self) {
        // Linux writes dirty pages out when a program says that it does not need them. What is clean leaves the cache, where a
        // backup only displaces what others need.
        let _ = rustix::fs::fadvise(&self.handle, 0, None, Advice::DontNeed);
    }

    fn forget_cached(&self) {
        // Only what is on the disk can be forgotten.
        let _ = rustix::fs::fdatasync(&self.handle);
        let _ = rustix::fs::fadvise(&self.handle, 0, None, Advice::DontNeed);
    }

    fn sync(&self) -> Result<(), Error> {
        retry_on_intr(|| rustix::fs::fdatasync(&self.handle))
            .map_err(|errno| fault::target(errno, "syncing", &self.path))
    }

    fn set_times(&self, write: Timestamp, _creation: Option<Timestamp>) -> Result<(), Error> {
        let times = stat::write_time(self.times.stored(write));
        rustix::fs::futimens(&self.handle, &times)
            .map_err(|errno| fault::target(errno, "setting the time of", &self.path))
    }

    fn meta(&self) -> Result<Meta, Error> {
        let stat = stat::of_handle(&self.handle).map_err(|errno| fault::target(errno, "looking at", &self.path))?;
        Ok(stat::meta(&stat, Side::Mirror, Some(self.volume)))
    }
}

impl DiskFile {
    /// The file that is open; `path` is for messages only.
    pub(crate) fn new(handle: OwnedFd, path: RelPath, times: TimeRules, volume: u64) -> DiskFile {
        DiskFile { handle, path, times, volume }
    }

    /// Makes a range read as zeros without taking space, whatever was there.
    fn make_hole(&self, offset_bytes: u64, size_bytes: u64) -> Result<(), Errno> {
        let end = offset_bytes.checked_add(size_bytes).ok_or(Errno::FBIG)?;
        let size = u64::try_from(rustix::fs::fstat(&self.handle)?.st_size).unwrap_or(0);
        if offset_bytes < size {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            retry_on_intr(|| rustix::fs::fallocate(&self.handle, flags, offset_bytes, size_bytes))?;
        }
        if size < end { retry_on_intr(|| rustix::fs::ftruncate(&self.handle, end)) } else { Ok(()) }
    }
}
