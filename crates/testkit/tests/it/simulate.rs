//! The simulated world: a time of new seeds, all kept ones, and that it can see.

use crate::engine::engine;
use octo_testkit::simulate::{Scenario, generate, play};
use std::path::Path;

#[test]
fn the_worlds_that_found_faults_are_right() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/seeds/simulate");
    for file in std::fs::read_dir(kept).unwrap() {
        let file = file.unwrap().path();
        let text = std::fs::read_to_string(&file).unwrap();
        for line in text.lines().filter(|line| line.starts_with('{')) {
            let scenario: Scenario = serde_json::from_str(line).unwrap();
            play(&scenario, engine).unwrap_or_else(|broken| panic!("{}: {broken}", file.display()));
        }
    }
}

#[test]
fn a_seed_is_the_same_world_each_time() {
    for seed in (1..40).filter(|seed| generate(*seed).workers == 1) {
        let first = play(&generate(seed), engine).unwrap();
        let second = play(&generate(seed), engine).unwrap();
        assert_eq!(first.digest, second.digest, "seed {seed}");
    }
}
