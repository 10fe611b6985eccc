//! Which versions may go. Only the oldest ever go, because the state before a run is rebuilt from all later ones.

use crate::time::{TICKS_PER_SEC, Timestamp};

/// How long the older versions of what was replaced or deleted are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepVersions {
    /// None are made. Those that exist stay.
    No,
    /// At least this long, and never fewer than [`RUNS_KEPT_MIN`] runs.
    Secs(u64),
}

impl Default for KeepVersions {
    fn default() -> KeepVersions {
        KeepVersions::Secs(30 * 86_400)
    }
}

/// The last runs that changed something; their versions are never pruned.
pub const RUNS_KEPT_MIN: usize = 3;

/// One run that has versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionedRun {
    /// Its number.
    pub run: u64,
    /// When it last wrote to them.
    pub written: Timestamp,
}

/// The runs whose versions are to be removed, oldest first. `runs` is sorted by number. That `now` may be believed is the
/// caller's to know ([`clock_trust`](crate::clock_trust)).
pub fn to_prune(runs: &[VersionedRun], keep: KeepVersions, now: Timestamp) -> Vec<u64> {
    let KeepVersions::Secs(secs) = keep else { return Vec::new() };
    let ticks = i64::try_from(secs).unwrap_or(i64::MAX).saturating_mul(TICKS_PER_SEC);
    let limit = now.0.saturating_sub(ticks);
    let prunable = runs.len().saturating_sub(RUNS_KEPT_MIN);
    let moments = moments(runs, now);
    runs[..prunable].iter().zip(moments).take_while(|(_, moment)| moment.0 < limit).map(|(run, _)| run.run).collect()
}

/// When each run wrote at the latest. A clock that was wrong must neither make versions older than they are nor keep them,
/// and all that came after them, for ever: a moment that has not come yet is that of the run after it, or now; and no run
/// wrote before the one before it.
fn moments(runs: &[VersionedRun], now: Timestamp) -> Vec<Timestamp> {
    let mut moments: Vec<_> = runs.iter().map(|run| run.written).collect();
    let mut after = now;
    for moment in moments.iter_mut().rev() {
        if *moment > now {
            *moment = after;
        }
        after = *moment;
    }
    let mut before = Timestamp(i64::MIN);
    for moment in &mut moments {
        *moment = before.max(*moment);
        before = *moment;
    }
    moments
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn only_old_ones_go_and_three_stay(ages in proptest::collection::vec(0i64..100, 0..12), keep in 0u64..100) {
            let now = Timestamp::from_unix(1_000_000, 0);
            let runs: Vec<_> = ages.iter().enumerate()
                .map(|(i, age)| VersionedRun { run: i as u64, written: now.plus_secs(-age) }).collect();
            let pruned = to_prune(&runs, KeepVersions::Secs(keep), now);
            prop_assert!(runs.len() - pruned.len() >= runs.len().min(RUNS_KEPT_MIN));
            prop_assert_eq!(&pruned, &(0..pruned.len() as u64).collect::<Vec<_>>(), "a gap would break older restores");
            for run in &pruned { prop_assert!(ages[*run as usize] > keep as i64); }
        }
    }

    #[test]
    fn runs_recorded_by_a_wrong_clock_neither_block_nor_hurry_the_others() {
        let day = |n: i64| Timestamp::from_unix(1_700_000_000, 0).plus_secs(n * 86_400);
        let runs = |days: &[i64]| -> Vec<_> {
            (1..).zip(days).map(|(run, n)| VersionedRun { run, written: day(*n) }).collect()
        };
        let pruned = |days: &[i64], now| to_prune(&runs(days), KeepVersions::default(), day(now));
        let ahead = [0, 1, 400, 2, 3, 20, 21, 22];
        assert_eq!(pruned(&ahead, 30), [0u64; 0]);
        assert_eq!(pruned(&ahead, 32), [1, 2]);
        assert_eq!(pruned(&ahead, 34), [1, 2, 3, 4, 5], "the run of the future goes with the one after it");
        let behind = [10, 11, -9000, 12, 20, 21, 22];
        assert_eq!(pruned(&behind, 40), [0u64; 0]);
        assert_eq!(pruned(&behind, 42), [1, 2, 3], "and one of the past with the one before it");
        assert_eq!(pruned(&[0, 400, 401, 402, 403], 5), [0u64; 0]);
    }

    #[test]
    fn a_clock_that_jumped_ahead_leaves_three() {
        let runs: Vec<_> = (1..=5).map(|run| VersionedRun { run, written: Timestamp(0) }).collect();
        assert_eq!(to_prune(&runs, KeepVersions::default(), Timestamp(i64::MAX)), [1, 2]);
        assert_eq!(to_prune(&runs, KeepVersions::No, Timestamp(i64::MAX)), [0u64; 0]);
    }
}
