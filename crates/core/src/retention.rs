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

/// The runs whose versions are to be removed, oldest first. `runs` is sorted by number.
pub fn to_prune(runs: &[VersionedRun], keep: KeepVersions, now: Timestamp) -> Vec<u64> {
    let KeepVersions::Secs(secs) = keep else { return Vec::new() };
    let ticks = i64::try_from(secs).unwrap_or(i64::MAX).saturating_mul(TICKS_PER_SEC);
    let limit = now.0.saturating_sub(ticks);
    let prunable = runs.len().saturating_sub(RUNS_KEPT_MIN);
    runs[..prunable].iter().take_while(|r| r.written.0 < limit).map(|r| r.run).collect()
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
    fn a_clock_that_jumped_ahead_leaves_three() {
        let runs: Vec<_> = (1..=5).map(|run| VersionedRun { run, written: Timestamp(0) }).collect();
        assert_eq!(to_prune(&runs, KeepVersions::default(), Timestamp(i64::MAX)), [1, 2]);
        assert_eq!(to_prune(&runs, KeepVersions::No, Timestamp(i64::MAX)), [0u64; 0]);
    }
}
