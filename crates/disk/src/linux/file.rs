//! An open file of the mirror.

use crate::linux::stat::Side;
use crate::linux::{fault, stat};
use octo_core::{Error, Meta, RelPath, TargetFile, TimeRules, Timestamp};
use rustix::fs::Advice;
use rustix::io::{Errno, pread, pwrite, retry_on_intr};
use std::os::fd::OwnedFd;

/// A file of the mirror, by its handle.
#[derive(Debug)]
pub(crate) struct DiskFile {
    pub(crate) handle: OwnedFd,
    /// For messages only.
    pub(crate) path: RelPath,
    pub(crate) times: TimeRules,
    pub(crate) volume: u64,
}

impl TargetFile for DiskFile {
    fn write_at(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), Error> {
        let mut at = 0usize;
        while at < bytes.len() {
            match retry_on_intr(|| pwrite(&self.handle, &bytes[at..], offset_bytes.saturating_add(at as u64))) {
                Ok(0) => return Err(fault::target(Errno::IO, "writing", &self.path)),
                Ok(written) => at += written,
                Err(errno) => return Err(fault::target(errno, "writing", &self.path)),
            }
        }
        Ok(())
    }

    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<usize, Error> {
        retry_on_intr(|| pread(&self.handle, &mut *buffer, offset_bytes))
            .map_err(|errno| fault::target(errno, "reading", &self.path))
    }

    fn set_len(&self, size_bytes: u64) -> Result<(), Error> {
        retry_on_intr(|| rustix::fs::ftruncate(&self.handle, size_bytes))
            .map_err(|errno| fault::target(errno, "setting the length of", &self.path))
    }

    fn sync_soon(&self) {
        // Linux writes dirty pages out when it is told that they are not needed. What is clean leaves the cache, where a
        // backup only displaces what others need.
        let _ = rustix::fs::fadvise(&self.handle, 0, None, Advice::DontNeed);
    }

    fn sync(&self) -> Result<(), Error> {
        retry_on_intr(|| rustix::fs::fdatasync(&self.handle))
            .map_err(|errno| fault::target(errno, "syncing", &self.path))
    }

    fn set_times(&self, write: Timestamp, _creation: Option<Timestamp>) -> Result<(), Error> {
        let times = stat::write_time(self.times.represent(write));
        rustix::fs::futimens(&self.handle, &times)
            .map_err(|errno| fault::target(errno, "setting the time of", &self.path))
    }

    fn meta(&self) -> Result<Meta, Error> {
        let stat = stat::of_handle(&self.handle).map_err(|errno| fault::target(errno, "looking at", &self.path))?;
        Ok(stat::meta(&stat, Side::Mirror, Some(self.volume)))
    }
}
