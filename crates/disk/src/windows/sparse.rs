//! Where a file holds data, as Windows tells it (MS-FSCC 2.3.48, FSCTL_QUERY_ALLOCATED_RANGES).

use crate::windows::Handle;
use crate::windows::fault::{self, Fault};
use crate::windows::nt::{self, Buffer, field};
use crate::windows::{positioned, stat};
use octo_core::{Ranges, sparse};
use windows_sys::Wdk::Storage::FileSystem as wdk;
use windows_sys::Win32::Storage::FileSystem::FILE_ATTRIBUTE_SPARSE_FILE;
use windows_sys::Win32::System::Ioctl::FSCTL_QUERY_ALLOCATED_RANGES;

/// FILE_ALLOCATED_RANGE_BUFFER: offset and length.
const RANGE_BYTES: usize = 16;

/// The holes of an open file.
pub(crate) fn holes(handle: &Handle) -> Ranges {
    let Ok(stat) = stat::of_handle(handle) else { return Ranges::new() };
    if stat.attributes & FILE_ATTRIBUTE_SPARSE_FILE == 0 {
        return Ranges::new();
    }
    let Ok(allocated) = allocated_bytes(handle) else { return Ranges::new() };
    let size = stat.size_bytes;
    crate::sparse::holes(size, allocated, || data(handle, size), |buffer, at| positioned::read_at(handle, buffer, at))
}

/// FILE_COMPRESSION_INFORMATION begins with what the file takes on the disk.
fn allocated_bytes(handle: &Handle) -> Result<u64, Fault> {
    let mut buffer = Buffer([0; 16]);
    nt::query(handle, wdk::FileCompressionInformation, &mut buffer)?;
    field::u64(&buffer.0, 0)
}

fn data(handle: &Handle, size_bytes: u64) -> Result<Ranges, Fault> {
    let (mut data, mut at) = (Ranges::new(), 0);
    for _ in 0..sparse::DATA_RANGES_MAX {
        if at >= size_bytes {
            return Ok(data);
        }
        let mut buffer = Buffer([0; 256 * RANGE_BYTES]);
        let filled = nt::fs_ask(handle, FSCTL_QUERY_ALLOCATED_RANGES, &[at, size_bytes - at], &mut buffer)?;
        let ranges = filled / RANGE_BYTES;
        for range in (0..ranges).map(|n| n * RANGE_BYTES) {
            let (start, len) = (field::u64(&buffer.0, range)?, field::u64(&buffer.0, range + 8)?);
            let end = start.checked_add(len).filter(|end| start >= at && *end > start).ok_or(fault::BAD_DATA)?;
            data.insert(start..end.min(size_bytes));
            at = end;
        }
        if ranges < buffer.0.len() / RANGE_BYTES {
            return Ok(data);
        }
    }
    data.insert(at.min(size_bytes)..size_bytes);
    Ok(data)
}
