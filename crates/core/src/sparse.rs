//! Holes of sparse files: ranges that hold no data on the source and read as zeros, so that nobody has to read them.
//!
//! What a system says of its holes is never simply believed, because data taken for a hole would be lost. A file has holes
//! only if the space it takes is explained by the data outside of them ([`holes`]), and only if samples of them
//! ([`probes`]) read as zeros. Where either fails, or nothing is known, the whole file is read.

use crate::ranges::Ranges;
use std::ops::Range;

/// A smaller hole is read as zeros: the mirror makes a hole of it again by itself.
pub const HOLE_BYTES_MIN: u64 = 1 << 20;
/// So many ranges of data are asked for in one file; what is behind them counts as data.
pub const DATA_RANGES_MAX: usize = 16_384;
/// One sample.
const PROBE_BYTES: u64 = 4096;
/// So many holes are sampled, evenly among all.
const PROBED_MAX: usize = 64;

/// The holes of a file with data in these ranges, that takes so much space as far as that is known. None if the file takes
/// more space than the data explains.
pub fn holes(data: &Ranges, size_bytes: u64, allocated_bytes: Option<u64>) -> Ranges {
    // Data is rounded up to the filesystem's units, and has to be found again on the disk.
    let data_bytes = data.total_bytes();
    let units_bytes = (data.iter().count() as u64 + 1) * (64 << 10);
    let explained = data_bytes.saturating_add(data_bytes / 32).saturating_add(units_bytes).saturating_add(1 << 20);
    let mut holes = Ranges::new();
    if allocated_bytes.is_none_or(|allocated| allocated <= explained) {
        data.missing(size_bytes).iter().filter(|r| r.end - r.start >= HOLE_BYTES_MIN).for_each(|r| holes.insert(r));
    }
    holes
}

/// Samples of these holes, which must read as zeros: the beginning, the middle and the end of each, or of some if there
/// are many.
pub fn probes(holes: &Ranges) -> Vec<Range<u64>> {
    let step = holes.iter().count().div_ceil(PROBED_MAX).max(1);
    let three = |hole: Range<u64>| {
        let last = hole.end.saturating_sub(PROBE_BYTES).max(hole.start);
        let middle = hole.start + (last - hole.start) / 2;
        [hole.start, middle, last].map(|at| at..(at + PROBE_BYTES).min(hole.end))
    };
    holes.iter().step_by(step).flat_map(three).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::single_range_in_vec_init, reason = "sets of ranges, some with one")]

    use super::*;

    const MIB: u64 = 1 << 20;

    fn set(ranges: &[Range<u64>]) -> Ranges {
        let mut set = Ranges::new();
        ranges.iter().cloned().for_each(|range| set.insert(range));
        set
    }

    #[test]
    fn holes_are_what_is_not_data_and_large_enough() {
        let data = set(&[0..10, MIB..MIB + 10, 9 * MIB..10 * MIB]);
        let found = holes(&data, 20 * MIB, Some(2 * MIB));
        assert_eq!(found, set(&[MIB + 10..9 * MIB, 10 * MIB..20 * MIB]));
        assert_eq!(holes(&Ranges::new(), 8 << 40, Some(0)), set(&[0..8 << 40]), "nothing but a hole");
    }

    #[test]
    fn a_file_that_takes_more_space_than_its_data_explains_has_no_holes() {
        let data = set(&[0..MIB]);
        assert!(holes(&data, 100 * MIB, Some(50 * MIB)).is_empty());
        assert!(!holes(&data, 100 * MIB, Some(MIB)).is_empty());
        assert!(!holes(&data, 100 * MIB, None).is_empty(), "nothing is known of it");
    }

    #[test]
    fn samples_lie_within_their_holes_and_are_bounded() {
        let many: Vec<_> = (0..5000u64).map(|n| n * 4 * MIB..n * 4 * MIB + 2 * MIB).collect();
        for holes in [set(&many), set(&[0..MIB]), set(&[5..8 << 40])] {
            let probes = probes(&holes);
            assert!(!probes.is_empty() && probes.len() <= 3 * PROBED_MAX);
            assert!(
                probes.iter().all(|p| holes.iter().any(|h| h.start <= p.start && p.end <= h.end && p.start < p.end))
            );
        }
    }
}
