//! FSCTL_QUERY_ALLOCATED_RANGES: where a file holds data (MS-FSCC 2.3.47 and 2.3.48).

use super::{Bytes, Malformed};
use octo_core::Ranges;

/// FILE_ALLOCATED_RANGE_BUFFER: offset and length.
pub(crate) const RANGE_BYTES: usize = 16;

/// The question: which parts of this range hold data.
pub(crate) fn question(offset_bytes: u64, length_bytes: u64) -> Vec<u8> {
    [offset_bytes.to_le_bytes(), length_bytes.to_le_bytes()].concat()
}

/// Adds the ranges of an answer to `data`. Returns where the last of them ends. They must be in order, begin at `from` or
/// behind it, and have a length; what lies beyond the file's size is cut off.
pub(crate) fn add(output: &[u8], from: u64, size_bytes: u64, data: &mut Ranges) -> Result<u64, Malformed> {
    let mut at = from;
    if !output.len().is_multiple_of(RANGE_BYTES) {
        return Err(Malformed("a range of a file is cut off"));
    }
    for range in output.chunks_exact(RANGE_BYTES).map(Bytes) {
        let (start, length) = (range.u64(0)?, range.u64(8)?);
        let end = start.checked_add(length).filter(|end| start >= at && *end > start);
        at = end.ok_or(Malformed("the ranges of a file are out of order"))?;
        data.insert(start.min(size_bytes)..at.min(size_bytes));
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(ranges: &[(u64, u64)], size: u64) -> Result<(Ranges, u64), Malformed> {
        let output: Vec<u8> = ranges.iter().flat_map(|&(at, len)| question(at, len)).collect();
        let mut data = Ranges::new();
        let end = add(&output, 10, size, &mut data)?;
        Ok((data, end))
    }

    #[test]
    fn ranges_are_in_order_and_within_the_file() {
        let (data, end) = read(&[(10, 5), (15, 5), (100, 900)], 500).unwrap();
        assert_eq!((data.iter().collect::<Vec<_>>(), end), (vec![10..20, 100..500], 1000));
        assert_eq!(read(&[], 500).unwrap().1, 10);
        for bad in [&[(9, 5)][..], &[(20, 5), (24, 5)], &[(20, 0)], &[(20, u64::MAX)], &[(50, 5), (20, 5)]] {
            assert!(read(bad, 500).is_err(), "{bad:?}");
        }
        assert!(add(&[0; 15], 0, 5, &mut Ranges::new()).is_err(), "cut off");
    }
}
