//! Sets of byte ranges: which parts of a large file are there already.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Byte ranges, sorted, not touching each other.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ranges(Vec<Range<u64>>);

impl Ranges {
    /// No range at all.
    pub fn new() -> Ranges {
        Ranges::default()
    }

    /// Adds a range, joining it with those it touches.
    pub fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.0.partition_point(|r| r.end < range.start);
        let past = self.0.partition_point(|r| r.start <= range.end);
        let start = self.0.get(first).filter(|_| first < past).map_or(range.start, |r| r.start.min(range.start));
        let end = if first < past { self.0[past - 1].end.max(range.end) } else { range.end };
        self.0.splice(first..past, std::iter::once(start..end));
    }

    /// The ranges of `0..size_bytes` that are not in the set.
    pub fn missing(&self, size_bytes: u64) -> Ranges {
        let mut missing = Ranges::new();
        let mut at = 0;
        for range in &self.0 {
            missing.insert(at..range.start.min(size_bytes));
            at = at.max(range.end);
        }
        missing.insert(at.min(size_bytes)..size_bytes);
        missing
    }

    /// What is in this set and not in `other`.
    pub fn minus(&self, other: &Ranges) -> Ranges {
        let mut left = Ranges::new();
        let mut holes = other.0.iter().peekable();
        for range in &self.0 {
            let mut at = range.start;
            while let Some(hole) = holes.peek().filter(|hole| hole.start < range.end) {
                left.insert(at..hole.start.max(at));
                at = at.max(hole.end);
                if hole.end > range.end {
                    // It reaches into the next range.
                    break;
                }
                holes.next();
            }
            left.insert(at.min(range.end)..range.end);
        }
        left
    }

    /// What is in both sets.
    pub fn common(&self, other: &Ranges) -> Ranges {
        self.minus(&self.minus(other))
    }

    /// Where the range that holds `at` ends; `at` itself if none does.
    pub fn end_at(&self, at: u64) -> u64 {
        let next = self.0.partition_point(|range| range.end <= at);
        self.0.get(next).filter(|range| range.start <= at).map_or(at, |range| range.end)
    }

    /// Where the first range that begins at `at` or behind begins.
    pub fn next_start(&self, at: u64) -> Option<u64> {
        self.0.get(self.0.partition_point(|range| range.start < at)).map(|range| range.start)
    }

    /// The bytes in all ranges.
    pub fn total_bytes(&self) -> u64 {
        self.0.iter().map(|r| r.end - r.start).sum()
    }

    /// The ranges in order.
    pub fn iter(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.0.iter().cloned()
    }

    /// Whether no range is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this could have been built by [`Ranges::insert`]: for sets read from a disk.
    pub fn is_well_formed(&self) -> bool {
        self.0.iter().all(|r| r.start < r.end) && self.0.windows(2).all(|w| w[0].end < w[1].start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_a_set_of_bytes(parts in proptest::collection::vec((0u64..60, 0u64..12), 0..12), size in 0u64..80) {
            let mut ranges = Ranges::new();
            let mut naive = std::collections::BTreeSet::new();
            for (start, len) in parts {
                ranges.insert(start..start + len);
                naive.extend(start..start + len);
            }
            prop_assert!(ranges.is_well_formed());
            prop_assert_eq!(ranges.iter().flatten().collect::<Vec<_>>(), naive.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(ranges.total_bytes(), naive.len() as u64);
            for at in 0..80 {
                let end = (at..).find(|byte| !naive.contains(byte));
                prop_assert_eq!(Some(ranges.end_at(at)), end);
                let start = (at..80).find(|b| naive.contains(b) && (*b == 0 || !naive.contains(&(b - 1))));
                prop_assert_eq!(ranges.next_start(at), start);
            }
            let missing: Vec<u64> = ranges.missing(size).iter().flatten().collect();
            prop_assert_eq!(missing, (0..size).filter(|b| !naive.contains(b)).collect::<Vec<_>>());
        }

        #[test]
        fn differences_and_common_parts_equal_those_of_sets_of_bytes(
            these in proptest::collection::vec((0u64..60, 0u64..12), 0..12),
            those in proptest::collection::vec((0u64..60, 0u64..12), 0..12),
        ) {
            let build = |parts: &[(u64, u64)]| {
                let mut ranges = Ranges::new();
                parts.iter().for_each(|&(start, len)| ranges.insert(start..start + len));
                ranges
            };
            let bytes = |ranges: &Ranges| ranges.iter().flatten().collect::<std::collections::BTreeSet<u64>>();
            let (these, those) = (build(&these), build(&those));
            prop_assert!(these.minus(&those).is_well_formed() && these.common(&those).is_well_formed());
            prop_assert_eq!(bytes(&these.minus(&those)), &bytes(&these) - &bytes(&those));
            prop_assert_eq!(bytes(&these.common(&those)), &bytes(&these) & &bytes(&those));
        }
    }
}
