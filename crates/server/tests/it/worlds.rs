//! Seeded worlds of the server: see `simulate`. What is found by others is found here, too: those that broke a promise once are
//! played each time, and some others.

use crate::simulate::{kept, play, scenario, shrink};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Worlds that are known to be right.
const SEEDS: std::ops::Range<u64> = 10_000..10_480;
/// How long they are played.
const PLAYED_FOR: Duration = Duration::from_secs(30);

#[test]
fn a_seed_makes_the_same_world_each_time() {
    for seed in [1, 7, 30] {
        let (once, again) = (play(&scenario(seed)), play(&scenario(seed)));
        assert_eq!((&once.broken, once.steps), (&None, again.steps), "seed {seed}");
        assert_eq!(once.digest, again.digest, "seed {seed}");
    }
}

#[test]
fn worlds_that_broke_a_promise_once_keep_it() {
    for (what, scenario) in kept::all() {
        assert_eq!(play(&scenario).broken, None, "{what}");
    }
}

#[test]
fn every_kind_of_step_and_fault_occurs() {
    let mut tally: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 1..=40 {
        let played = play(&scenario(seed));
        assert_eq!(played.broken, None, "seed {seed}");
        played.tally.into_iter().for_each(|(what, times)| *tally.entry(what).or_default() += times);
    }
    for what in [
        "Add",
        "Edit",
        "Rename",
        "Pause",
        "Remove",
        "Start",
        "Cancel",
        "Dismiss",
        "Defaults",
        "Recipient",
        "Forget",
        "Test",
        "Digest",
        "End",
        "Look",
        "Sleep",
        "Jump",
        "Ways",
        "Full",
        "ReadOnly",
        "Locked",
        "Mend",
        "FailCommit",
        "FailStatement",
        "Kill",
        "KillAt",
        "Stop",
        "died in a step",
        "failed in a step",
        "refused by a sick disk",
    ] {
        assert!(tally.get(what).is_some_and(|times| *times > 0), "no world has {what:?}: {tally:?}");
    }
}

/// Seeds that are known to be right. New ones are for `cargo xtask simulate`, as long as one in some hundreds still finds something.
#[test]
fn worlds_keep_all_promises() {
    let end = Instant::now() + PLAYED_FOR;
    for seed in SEEDS.take_while(|_| Instant::now() < end) {
        if let Some((at, what)) = play(&scenario(seed)).broken {
            let short = shrink::shrink(&scenario(seed));
            panic!(
                "seed {seed} fails at step {at}: {what}\nshrunk: {short:?}\nwhich fails: {:?}\nagain: cargo xtask simulate --world \
                 server --seed {seed} --runs 1",
                play(&short).broken
            );
        }
    }
}
