//! Reads a file of the mirror from the disk and makes its hash.

use crate::content_hash::ContentHasher;
use octo_core::{Error, TargetFile};
use std::ops::ControlFlow;

/// Read at once.
pub(super) const READ_BYTES: usize = 1 << 20;

/// Takes a piece and its place, and says whether more is wanted.
type Each<'e> = &'e mut dyn FnMut(u64, &[u8]) -> Result<ControlFlow<()>, Error>;

/// The hash of a file, each piece of which was shown with its place; holes are not read. `None` if `each` wanted no more.
pub(super) fn read(
    open: &dyn TargetFile,
    size_bytes: u64,
    buffer: &mut [u8],
    each: Each<'_>,
) -> Result<Option<[u8; 32]>, Error> {
    open.forget_cached();
    let mut hasher = ContentHasher::new(size_bytes);
    let holes = open.holes()?;
    let mut at = 0;
    loop {
        let hole = holes.end_at(at);
        if hole > at {
            hasher.zeros(hole - at);
            at = hole;
            continue;
        }
        let room = buffer.len();
        let want = holes.next_start(at).map_or(room, |hole| usize::try_from(hole - at).unwrap_or(room).min(room));
        let n = open.read_at(at, &mut buffer[..want])?;
        if n == 0 {
            // What others need stays in the cache, this does not.
            open.forget_cached();
            return Ok(Some(hasher.finish()));
        }
        hasher.update(&buffer[..n]);
        if each(at, &buffer[..n])?.is_break() {
            return Ok(None);
        }
        at += n as u64;
    }
}
