//! When a snapshot of the source stands in for a file that cannot be read as it is now, and which one.

use crate::entry::Meta;
use crate::error::Code;
use crate::time::{TimeRules, Timestamp};

/// How many snapshots are looked into for one file, from the newest on.
pub const SNAPSHOTS_MAX: usize = 5;
/// A copy that stands in is no problem as long as its snapshot is not older than this.
const FRESH_SECS: i64 = 7 * 86_400;

/// Whether a file that fails with this code may be whole in a snapshot: it is in use, or written to all the time.
pub fn can_help(code: Code) -> bool {
    matches!(code, Code::Locked | Code::ChangedWhileRead)
}

/// The snapshot to try after `tried`. `snapshots` are newest first.
pub fn next(snapshots: &[Timestamp], tried: Option<Timestamp>) -> Option<Timestamp> {
    snapshots.iter().take(SNAPSHOTS_MAX).copied().find(|taken| tried.is_none_or(|tried| *taken < tried))
}

/// Whether a snapshot is young enough to stand in without being called a problem. Shadow copies that nobody makes any
/// more must not pass for a backup.
pub fn is_fresh(taken: Timestamp, now: Timestamp) -> bool {
    taken.plus_secs(FRESH_SECS) >= now
}

/// What a file in a snapshot is to the copy in the mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// There is no copy, or an older one.
    Newer,
    /// The copy has its time and size.
    Same,
    /// The copy is newer, or of the same time and yet another: it stays.
    Older,
}

/// Compares a file in a snapshot with its copy in the mirror.
pub fn age(then: &Meta, copy: Option<&Meta>, times: &TimeRules) -> Age {
    let Some(copy) = copy else { return Age::Newer };
    match times.represent(then.write_time).cmp(&copy.write_time) {
        std::cmp::Ordering::Greater => Age::Newer,
        std::cmp::Ordering::Equal if then.size_bytes == copy.size_bytes => Age::Same,
        _ => Age::Older,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Kind;
    use proptest::prelude::*;

    #[test]
    fn the_newest_comes_first_and_the_sixth_is_not_asked() {
        let snapshots: Vec<_> = (0..9).rev().map(Timestamp).collect();
        let mut tried = Vec::new();
        while let Some(taken) = next(&snapshots, tried.last().copied()) {
            tried.push(taken);
        }
        assert_eq!(tried, snapshots[..SNAPSHOTS_MAX]);
        assert_eq!(next(&[], None), None);
    }

    #[test]
    fn a_snapshot_is_fresh_for_a_week_and_one_from_the_future_too() {
        let now = Timestamp::from_unix(1_700_000_000, 0);
        assert!(is_fresh(now.plus_secs(-FRESH_SECS), now) && is_fresh(now.plus_secs(60), now));
        assert!(!is_fresh(now.plus_secs(-FRESH_SECS - 1), now));
        assert!(is_fresh(Timestamp(i64::MAX), now) && !is_fresh(Timestamp(i64::MIN), now));
    }

    fn file(size_bytes: u64, ticks: i64) -> Meta {
        Meta::new(Kind::File, size_bytes, Timestamp(ticks))
    }

    proptest! {
        /// What is copied from a snapshot never replaces anything newer, whatever the target makes of times.
        #[test]
        fn a_copy_is_never_replaced_by_something_older(then in 0i64..100, copy in 0i64..100, sizes in (0u64..2, 0u64..2), step in 1i64..9) {
            let times = TimeRules { granularity_ticks: step, ..TimeRules::EXACT };
            let copy = Meta { write_time: times.represent(Timestamp(copy)), ..file(sizes.0, copy) };
            match age(&file(sizes.1, then), Some(&copy), &times) {
                Age::Newer => prop_assert!(Timestamp(then) > copy.write_time),
                Age::Same => prop_assert!(times.represent(Timestamp(then)) == copy.write_time && sizes.0 == sizes.1),
                Age::Older => prop_assert!(times.represent(Timestamp(then)) <= copy.write_time),
            }
        }
    }

    #[test]
    fn without_a_copy_anything_is_newer() {
        assert_eq!(age(&file(1, 1), None, &TimeRules::EXACT), Age::Newer);
    }
}
