//! Generated trees go through the real engine.

use octo_core::{Cancel, Outcome, Timestamp, monitor::Silent};
use octo_disk::{DiskOptions, DiskTarget};
use octo_mirror::{RunOptions, RunResult, run};
use octo_testkit::clock::TestClock;
use octo_testkit::generated::{Difference, GeneratedSource, GeneratedTarget, GeneratedTree};

fn through_the_engine(tree: GeneratedTree, difference: Difference) -> (RunResult, GeneratedSource, GeneratedTarget) {
    let temp = tempfile::tempdir().unwrap();
    let disk = DiskTarget::open(temp.path(), DiskOptions::default()).unwrap();
    let (source, target) = (GeneratedSource::new(tree), GeneratedTarget::new(tree, difference, Box::new(disk)));
    let options = RunOptions { adopt: true, ..RunOptions::default() };
    let clock = TestClock::at(Timestamp::from_unix(1_800_000_000, 0));
    let result = run(&source, &target, &options, &Silent, &clock, &Cancel::new());
    (result, source, target)
}

#[test]
fn an_unchanged_mirror_is_left_alone_in_many_folders_and_in_one_sorted_and_not() {
    for (folders, files_per_folder) in [(50, 200), (1, 10_000)] {
        for scattered in [false, true] {
            let tree = GeneratedTree { scattered, ..GeneratedTree::new(folders, files_per_folder) };
            let (result, source, target) = through_the_engine(tree, Difference::default());
            assert_eq!(result.report.outcome, Outcome::Succeeded, "{:#?}", result.report);
            assert_eq!((result.report.counts.unchanged, source.fetched()), (10_000, 0));
            assert_eq!(result.report.counts.source_folders, folders);
            assert_eq!(target.forgotten(), 0, "no write into an unchanged mirror");
        }
    }
}

#[test]
fn what_differs_is_fetched_and_nothing_else() {
    let difference = Difference { missing_every: Some(10), older_every: Some(25) };
    let (result, source, _) = through_the_engine(GeneratedTree::new(4, 250), difference);
    let counts = &result.report.counts;
    assert_eq!(result.report.outcome, Outcome::Succeeded, "{:#?}", result.report);
    // Of the multiples of 25 below 1,000, half are multiples of 10 too.
    assert_eq!((counts.created, counts.replaced, counts.unchanged), (100, 20, 880));
    assert_eq!(source.fetched(), 120);
}

#[test]
fn a_first_copy_is_accepted_and_forgotten() {
    let empty = Difference { missing_every: Some(1), older_every: None };
    let (result, source, target) = through_the_engine(GeneratedTree::new(5, 40), empty);
    assert_eq!(result.report.outcome, Outcome::Succeeded, "{:#?}", result.report);
    assert_eq!((result.report.counts.created, result.report.counts.folders_created), (200, 5));
    assert_eq!(source.fetched(), 200);
    assert!(target.forgotten() >= 205);
}
