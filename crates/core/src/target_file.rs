//! An open file of the target, as the engine writes and reads it. What is an effect says so.

use crate::entry::Meta;
use crate::error::Error;
use crate::ranges::Ranges;
use crate::time::Timestamp;
use std::ops::Range;

/// A file of the target that is open. Usable from several threads.
pub trait TargetFile: Send + Sync {
    /// Writes all of `bytes` at `offset_bytes`. Effect.
    fn write_at(&self, offset_bytes: u64, bytes: &[u8]) -> Result<(), Error>;
    /// Reads up to `buffer.len()` bytes at `offset_bytes`; 0 at the end.
    fn read_at(&self, offset_bytes: u64, buffer: &mut [u8]) -> Result<usize, Error>;
    /// Cuts or extends (with zeros) the file. Effect.
    fn set_len(&self, size_bytes: u64) -> Result<(), Error>;
    /// Whether ranges of zeros can be had that take no space.
    fn can_have_holes(&self) -> bool {
        false
    }
    /// Makes a range read as zeros, whatever was there, extending the file if need be; where it can, the range takes no space
    /// any more. Effect.
    fn clear(&self, range: Range<u64>) -> Result<(), Error> {
        self.write_zeros(range)
    }
    /// The same with zeros that are written. Effect.
    fn write_zeros(&self, range: Range<u64>) -> Result<(), Error> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        let mut at = range.start;
        while at < range.end {
            let len = usize::try_from(range.end - at).unwrap_or(ZEROS.len()).min(ZEROS.len());
            self.write_at(at, &ZEROS[..len])?;
            at += len as u64;
        }
        Ok(())
    }
    /// The ranges that are known to take no space and to read as zeros.
    fn holes(&self) -> Result<Ranges, Error> {
        Ok(Ranges::new())
    }
    /// Begins to bring what was written to the disk, without waiting for it, so that [`TargetFile::sync`] has little to wait
    /// for. A hint.
    fn sync_soon(&self) {}
    /// Lets the system forget what it keeps of the file in memory, so that it is read from the disk next. A hint.
    fn forget_cached(&self) {}
    /// Makes the data durable (`fdatasync`). Effect.
    fn sync(&self) -> Result<(), Error>;
    /// Sets the last write time, and the creation time where the target has one. Effect.
    fn set_times(&self, write: Timestamp, creation: Option<Timestamp>) -> Result<(), Error>;
    /// What the handle says: size, times, id (inode), links.
    fn meta(&self) -> Result<Meta, Error>;
}
