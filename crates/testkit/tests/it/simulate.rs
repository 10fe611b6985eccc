//! The simulated world: a minute of seeds, all kept ones, and that it can see.

use crate::engine::ENGINE;
use octo_testkit::simulate::{Focus, Plan, Scenario, generate, play, play_many};
use std::path::Path;
use std::time::Duration;

/// Every kind of fault occurs in so many worlds.
const ALL_KINDS: u64 = 400;

#[test]
fn the_worlds_that_found_faults_are_right() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds/simulate");
    for file in std::fs::read_dir(kept).unwrap() {
        let file = file.unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        for line in text.lines().filter(|line| line.starts_with('{')) {
            let scenario: Scenario = serde_json::from_str(line).unwrap();
            play(&scenario, ENGINE).unwrap_or_else(|broken| panic!("{}: {broken}", file.display()));
        }
    }
}

/// Seeds that are known to be right. New ones are for `cargo xtask simulate`, as long as one in some thousands still finds something.
#[test]
fn a_minute_of_worlds() {
    let sum = play_many(
        &Plan { seed: 1, worlds: 750, time: Some(Duration::from_secs(50)), threads: 2, focus: Focus::Everything },
        ENGINE,
    );
    assert!(sum.broken.is_none(), "{sum}");
}

/// States go out of the middle, whatever goes wrong meanwhile, and the others are shown as they were.
#[test]
fn worlds_whose_states_go_out_of_the_middle() {
    let sum = play_many(
        &Plan { seed: 1000, worlds: 120, time: Some(Duration::from_secs(30)), threads: 2, focus: Focus::Retention },
        ENGINE,
    );
    assert!(sum.broken.is_none(), "{sum}");
}

#[test]
fn every_kind_of_fault_occurs_and_several_in_one_run() {
    let sum = play_many(&Plan { seed: 1, worlds: ALL_KINDS, time: None, threads: 2, focus: Focus::Everything }, ENGINE);
    assert!(sum.broken.is_none(), "{sum}");
    let planned =
        (1..=ALL_KINDS).flat_map(|seed| generate(seed, Focus::Everything).rounds).flat_map(|round| round.faults);
    let kinds: std::collections::BTreeSet<_> = planned.map(|fault| fault.kind()).collect();
    assert!(kinds.len() >= 24, "{kinds:?}");
    for kind in kinds {
        assert!(sum.faults.contains_key(kind), "{kind} never happened: {sum}");
    }
    assert!(sum.runs_by_faults.get(&2) > Some(&20) && sum.runs_by_faults.get(&3) > Some(&0), "{sum}");
}

#[test]
fn a_seed_is_the_same_world_each_time() {
    for seed in (1..60).filter(|seed| generate(*seed, Focus::Everything).workers == 1) {
        let first = play(&generate(seed, Focus::Everything), ENGINE).unwrap();
        let second = play(&generate(seed, Focus::Everything), ENGINE).unwrap();
        assert_eq!(first.digest, second.digest, "seed {seed}");
    }
}
