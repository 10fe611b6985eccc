//! Which of the waiting runs start: a pure function of what waits, what runs and the limits.

use serde::{Deserialize, Serialize};

/// How many runs at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunLimits {
    /// In all.
    pub runs_max: usize,
    /// From one host.
    pub runs_per_host_max: usize,
    /// To one disk.
    pub runs_per_disk_max: usize,
}

impl Default for RunLimits {
    fn default() -> RunLimits {
        RunLimits { runs_max: 4, runs_per_host_max: 2, runs_per_disk_max: 4 }
    }
}

/// Where a run takes place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Started {
    pub(super) job: i64,
    pub(super) host: Option<String>,
    pub(super) disk: Option<u64>,
}

/// A run that may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) run: i64,
    pub(super) place: Started,
}

/// The runs to start, in the order of `waiting`. A job runs once at a time; a run that has to wait does not delay others.
pub(super) fn pick(waiting: &[Waiting], running: &[Started], limits: &RunLimits) -> Vec<i64> {
    let mut busy: Vec<&Started> = running.iter().collect();
    let mut picked = Vec::new();
    for candidate in waiting {
        let place = &candidate.place;
        let at_host = busy.iter().filter(|other| place.host.is_some() && other.host == place.host).count();
        let at_disk = busy.iter().filter(|other| place.disk.is_some() && other.disk == place.disk).count();
        let is_alone = busy.iter().all(|other| other.job != place.job);
        if is_alone
            && busy.len() < limits.runs_max
            && at_host < limits.runs_per_host_max
            && at_disk < limits.runs_per_disk_max
        {
            busy.push(place);
            picked.push(candidate.run);
        }
    }
    picked
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(job: i64, host: &str, disk: u64) -> Started {
        Started { job, host: (!host.is_empty()).then(|| host.to_owned()), disk: Some(disk) }
    }

    fn waiting(places: &[Started]) -> Vec<Waiting> {
        (100..).zip(places).map(|(run, place)| Waiting { run, place: place.clone() }).collect()
    }

    #[test]
    fn limits_hold_overall_per_host_per_disk_and_per_job() {
        let limits = RunLimits { runs_max: 3, runs_per_host_max: 1, runs_per_disk_max: 2 };
        let table: &[(&[Started], &[Started], &[i64])] = &[
            (&[at(1, "a", 1), at(2, "b", 2), at(3, "c", 3), at(4, "d", 4)], &[], &[100, 101, 102]),
            (&[at(1, "a", 1), at(2, "a", 2), at(3, "b", 3)], &[], &[100, 102]),
            (&[at(1, "a", 1), at(2, "b", 1), at(3, "c", 1)], &[], &[100, 101]),
            (&[at(1, "a", 1), at(1, "b", 2)], &[], &[100]),
            (&[at(1, "a", 1)], &[at(1, "a", 1)], &[]),
            (&[at(1, "", 1), at(2, "", 2)], &[], &[100, 101]),
            (&[at(1, "a", 1)], &[at(5, "x", 5), at(6, "y", 6), at(7, "z", 7)], &[]),
        ];
        for (wait, running, wanted) in table {
            assert_eq!(pick(&waiting(wait), running, &limits), *wanted, "{wait:?} {running:?}");
        }
    }

    proptest! {
        #[test]
        fn no_limit_is_ever_passed_and_nobody_waits_without_reason(
            wait in prop::collection::vec((0i64..6, 0u8..4, 0u64..3), 0..20),
            run in prop::collection::vec((6i64..9, 0u8..4, 0u64..3), 0..3),
            all in 1usize..6, host in 1usize..4, disk in 1usize..4,
        ) {
            let place = |(job, host, disk): &(i64, u8, u64)| at(*job, ["", "a", "b", "c"][usize::from(*host)], *disk);
            let limits = RunLimits { runs_max: all, runs_per_host_max: host, runs_per_disk_max: disk };
            let wait = waiting(&wait.iter().map(place).collect::<Vec<_>>());
            let mut busy: Vec<Started> = run.iter().map(place).collect();
            let picked = pick(&wait, &busy, &limits);
            for candidate in &wait {
                let p = &candidate.place;
                let fits = busy.iter().all(|o| o.job != p.job)
                    && busy.len() < all
                    && (p.host.is_none() || busy.iter().filter(|o| o.host == p.host).count() < host)
                    && busy.iter().filter(|o| o.disk == p.disk).count() < disk;
                prop_assert_eq!(fits, picked.contains(&candidate.run));
                if fits { busy.push(p.clone()); }
            }
        }
    }
}
