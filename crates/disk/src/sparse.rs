//! The holes of a file on a local disk: what its system says of them, made sure of as core's `sparse` demands.

use octo_core::{Ranges, sparse};

/// The holes of a file of this size that takes so much space. `data` tells its ranges of data, and `read` fills a buffer
/// from a place. Any trouble means that no holes are known.
pub(crate) fn holes<E>(
    size_bytes: u64,
    allocated_bytes: u64,
    data: impl FnOnce() -> Result<Ranges, E>,
    read: impl Fn(&mut [u8], u64) -> Result<usize, E>,
) -> Ranges {
    // Most files are looked at no further.
    if size_bytes < sparse::HOLE_BYTES_MIN || allocated_bytes >= size_bytes {
        return Ranges::new();
    }
    let Ok(data) = data() else { return Ranges::new() };
    let holes = sparse::holes(&data, size_bytes, Some(allocated_bytes));
    let mut buffer = Vec::new();
    let is_zero = |probe: std::ops::Range<u64>| {
        buffer.resize(usize::try_from(probe.end - probe.start).unwrap_or(0), 1);
        matches!(read(&mut buffer, probe.start), Ok(got) if got == buffer.len()) && buffer.iter().all(|&byte| byte == 0)
    };
    if sparse::probes(&holes).into_iter().all(is_zero) { holes } else { Ranges::new() }
}
