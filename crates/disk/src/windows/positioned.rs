//! Reads and writes at an offset.

use super::Handle;
use super::fault::{self, Fault};
use std::os::windows::fs::FileExt;

/// Reads up to `buffer.len()` bytes; 0 at the end.
pub(crate) fn read_at(handle: &Handle, buffer: &mut [u8], offset_bytes: u64) -> Result<usize, Fault> {
    within_reach(offset_bytes, buffer.len())?;
    Ok(handle.seek_read(buffer, offset_bytes)?)
}

/// Writes all of it.
pub(crate) fn write_all_at(handle: &Handle, bytes: &[u8], offset_bytes: u64) -> Result<(), Fault> {
    within_reach(offset_bytes, bytes.len())?;
    let mut at = 0usize;
    while at < bytes.len() {
        match handle.seek_write(&bytes[at..], offset_bytes + at as u64)? {
            0 => return Err(fault::BAD_DATA),
            written => at += written,
        }
    }
    Ok(())
}

/// Windows takes some negative offsets for "at the end" and "where it is now".
pub(crate) fn within_reach(offset_bytes: u64, len: usize) -> Result<(), Fault> {
    let end = offset_bytes.checked_add(len as u64).and_then(|end| i64::try_from(end).ok());
    end.map(|_| ()).ok_or(fault::BAD_ARGUMENT)
}
