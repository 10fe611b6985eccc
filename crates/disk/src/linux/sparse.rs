//! Where a file holds data, as the kernel tells it (lseek(2), SEEK_DATA and SEEK_HOLE).

use crate::linux::stat;
use octo_core::{Ranges, sparse};
use rustix::fs::{SeekFrom, seek};
use rustix::io::{Errno, pread, retry_on_intr};
use std::os::fd::{AsFd, OwnedFd};

/// What statx counts in.
const BLOCK_BYTES: u64 = 512;

/// The holes of an open file. Its position is moved: everything else reads at a place.
pub(crate) fn holes(fd: &OwnedFd) -> Ranges {
    let Ok(stat) = stat::of_handle(fd) else { return Ranges::new() };
    let (size, allocated) = (stat.stx_size, stat.stx_blocks.saturating_mul(BLOCK_BYTES));
    crate::sparse::holes(size, allocated, || data(fd, size), |buffer, at| retry_on_intr(|| pread(fd, &mut *buffer, at)))
}

fn data(fd: impl AsFd, size_bytes: u64) -> Result<Ranges, Errno> {
    let fd = fd.as_fd();
    let (mut data, mut at) = (Ranges::new(), 0);
    for _ in 0..sparse::DATA_RANGES_MAX {
        let start = match seek(fd, SeekFrom::Data(at)) {
            Ok(start) => start,
            // Nothing but a hole up to the end.
            Err(Errno::NXIO) => return Ok(data),
            Err(errno) => return Err(errno),
        };
        let end = seek(fd, SeekFrom::Hole(start))?;
        if start < at || end <= start || start >= size_bytes {
            // It changes meanwhile.
            return Err(Errno::AGAIN);
        }
        data.insert(start..end.min(size_bytes));
        at = end;
        if at >= size_bytes {
            return Ok(data);
        }
    }
    data.insert(at..size_bytes);
    Ok(data)
}
