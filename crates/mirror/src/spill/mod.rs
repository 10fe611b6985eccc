//! Lists longer than memory: they live in memory up to a named limit and in nameless scratch files beyond it.

mod log;
mod sorter;

pub use log::{Log, LogBuffer, LogWriter};
pub use sorter::{Pool, Record, Sorted, Sorter};

use octo_core::{Error, TargetFile};

/// How much is read from a scratch file at once.
const READ_BYTES: usize = 64 << 10;

/// Reads exactly `buffer.len()` bytes, or fails: scratch data is never shorter than we wrote it.
fn read_exact(file: &dyn TargetFile, mut offset: u64, mut buffer: &mut [u8]) -> Result<(), Error> {
    while !buffer.is_empty() {
        let n = file.read_at(offset, buffer)?;
        if n == 0 {
            return Err(Error::new(octo_core::Code::TargetFailed, "a temporary file is shorter than it was written"));
        }
        offset += n as u64;
        buffer = &mut buffer[n..];
    }
    Ok(())
}
