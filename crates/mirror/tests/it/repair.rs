//! What the disk damaged is repaired from another copy of the same content, or copied again by the next run; what is damaged is
//! kept, and no name is ever without its content.

use crate::pair::{Pair, tree};
use crate::support::{assert_verified, verify};
use crate::verify::{flip, named, target};
use octo_core::{Code, Outcome};
use octo_disk::{DiskOptions, DiskTarget};
use octo_mirror::{RunOptions, VerifyOptions, VerifyReport};
use octo_testkit::effects::{Count, Effects, FailAt, TearAt, Trap};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const GOOD: &[u8] = b"the same as on the first day";

fn repairing() -> VerifyOptions {
    VerifyOptions { repair: true, ..VerifyOptions::default() }
}

/// `doc` is now as it was before run 2, and was another thing between; `alone` never changed.
fn lived() -> Pair {
    let pair = Pair::new();
    for (content, secs) in [(GOOD, 1_000_000), (b"changed in between", 2_000_000), (GOOD, 1_000_000)] {
        pair.write("deep/doc", content, secs);
        pair.write("alone", b"never changed", 1_000_000);
        pair.chmod("deep/doc", 0o640);
        assert_eq!(pair.run(&RunOptions::default()).outcome, Outcome::Succeeded);
    }
    pair
}

const VERSION: &str = ".octobackup/versions/2/tree/deep/doc";

fn read(pair: &Pair, path: &str) -> Vec<u8> {
    fs::read(pair.target.join(path)).unwrap()
}

fn damage(pair: &Pair, path: &str) -> Vec<u8> {
    flip(&pair.target.join(path), 13);
    read(pair, path)
}

fn repair(pair: &Pair) -> VerifyReport {
    verify(&target(pair), &repairing()).0
}

#[test]
fn a_damaged_file_is_repaired_from_an_older_version_and_a_version_from_the_file() {
    for (damaged, other, kept) in [
        ("deep/doc", VERSION, ".octobackup/damaged/mirror/deep/doc"),
        (VERSION, "deep/doc", ".octobackup/damaged/2/deep/doc"),
    ] {
        let pair = lived();
        let before = fs::metadata(pair.target.join(damaged)).unwrap();
        let modes = pair.recorded_mode(Path::new(damaged));
        let bad = damage(&pair, damaged);
        let untouched = verify(&target(&pair), &VerifyOptions::default()).0;
        assert_eq!((untouched.counts.repaired, read(&pair, damaged)), (0, bad.clone()), "not unless it is asked for");
        let (report, problems) = verify(&target(&pair), &repairing());
        assert_eq!((report.counts.repaired, report.counts.copied_next), (1, 0), "{report:#?}");
        assert_eq!(named(&problems, Code::ContentDamaged), [damaged.to_owned()].into());
        assert!(problems[0].detail.contains(&format!("repaired from {other}")), "{problems:?}");
        assert_eq!((read(&pair, damaged), read(&pair, kept)), (GOOD.to_vec(), bad));
        let after = fs::metadata(pair.target.join(damaged)).unwrap();
        assert_eq!((after.mode(), after.modified().unwrap()), (before.mode(), before.modified().unwrap()));
        assert_eq!(pair.recorded_mode(Path::new(damaged)), modes, "its metadata stays with it");
        assert_verified(&target(&pair), "after the repair");
        let next = pair.run(&RunOptions::default());
        assert_eq!((next.outcome, next.counts.replaced), (Outcome::Succeeded, 0), "{next:#?}");
        assert_verified(&target(&pair), "after the next run");
    }
}

#[test]
fn what_has_no_good_copy_in_the_mirror_is_copied_again_by_the_next_run_and_kept_until_then() {
    for options in [VerifyOptions::default(), repairing()] {
        let pair = lived();
        let bad = damage(&pair, "alone");
        for turn in 0..2 {
            let (report, problems) = verify(&target(&pair), &options);
            assert_eq!((report.counts.repaired, report.counts.copied_next), (0, 1), "{turn}: {report:#?}");
            assert_eq!(named(&problems, Code::ContentDamaged), ["alone".to_owned()].into(), "{turn}");
            assert_eq!(read(&pair, "alone"), bad);
        }
        let next = pair.run(&RunOptions::default());
        assert_eq!((next.outcome, next.counts.replaced), (Outcome::Succeeded, 1), "{next:#?}");
        assert!(
            next.remarks.iter().any(|remark| remark.contains("1 file that the mirror's disk had damaged")),
            "{next:#?}"
        );
        assert_eq!(read(&pair, "alone"), b"never changed");
        // What was damaged is a version now, and has a good copy.
        let version = ".octobackup/versions/4/tree/alone";
        assert_eq!(read(&pair, version), bad);
        assert_eq!(repair(&pair).counts.repaired, 1);
        assert_eq!(read(&pair, version), b"never changed");
        assert_eq!(read(&pair, ".octobackup/damaged/4/alone"), bad);
        assert_verified(&target(&pair), "in the end");
        let last = pair.run(&RunOptions::default());
        assert!(last.remarks.is_empty() && last.counts.replaced == 0, "{last:#?}");
    }
}

#[test]
fn a_version_without_a_good_copy_stays_as_it_is_and_no_run_is_asked_for_it() {
    let pair = lived();
    let version = ".octobackup/versions/3/tree/deep/doc";
    let bad = damage(&pair, version);
    let (report, problems) = verify(&target(&pair), &repairing());
    assert_eq!((report.counts.repaired, report.counts.copied_next), (0, 0), "{report:#?}");
    assert!(problems[0].detail.contains("an older version"), "{problems:?}");
    assert_eq!(read(&pair, version), bad);
}

#[test]
fn two_damaged_copies_do_not_repair_each_other() {
    let pair = lived();
    let (bad, bad_version) = (damage(&pair, "deep/doc"), damage(&pair, VERSION));
    let report = repair(&pair);
    assert_eq!((report.counts.repaired, report.counts.copied_next), (0, 1), "{report:#?}");
    assert_eq!((read(&pair, "deep/doc"), read(&pair, VERSION)), (bad, bad_version));
    assert_eq!(pair.run(&RunOptions::default()).counts.replaced, 1);
    // The first copy, and what was damaged and is a version now.
    assert_eq!(repair(&pair).counts.repaired, 2);
    assert_verified(&target(&pair), "from the source and then from the mirror");
}

fn at_every_effect<T: Trap + 'static>(trap: impl Fn(u64) -> T, hard_links: bool) {
    for k in 1.. {
        let pair = lived();
        let bad = damage(&pair, "deep/doc");
        let disk = Effects::new(DiskTarget::open(&pair.target, DiskOptions::default()).unwrap(), trap(k));
        let disk = if hard_links { disk } else { disk.without_hard_links() };
        let watch = crate::support::Problems::default();
        let clock = octo_testkit::clock::TestClock::real();
        let ended = octo_mirror::verify(&disk, &repairing(), &watch, &clock, &octo_core::Cancel::new());
        let met = disk.log().len() as u64 >= k;
        drop(disk);
        let now = read(&pair, "deep/doc");
        assert!(now == GOOD || now == bad, "after effect {k}: {}", String::from_utf8_lossy(&now));
        let kept = pair.target.join(".octobackup/damaged/mirror/deep/doc");
        if now == GOOD {
            assert_eq!(fs::read(kept).unwrap(), bad, "after effect {k}: what was damaged is kept");
        }
        let is_said = ended.is_ok_and(|report| report.counts.repaired == 1);
        assert!(!is_said || now == GOOD, "after effect {k}: what is said was done");
        repair(&pair);
        assert_eq!(read(&pair, "deep/doc"), GOOD, "after effect {k}, and another verify");
        let next = pair.run(&RunOptions::default());
        assert_eq!(next.outcome, Outcome::Succeeded, "after effect {k}: {next:#?}");
        assert_eq!(tree(&pair.source), tree(&pair.target), "after effect {k}");
        assert_verified(&target(&pair), &format!("after effect {k}"));
        if !met {
            assert!(k > 10, "there are effects");
            return;
        }
    }
}

#[test]
fn a_repair_that_dies_at_any_effect_leaves_the_old_content_or_the_right_one() {
    for hard_links in [true, false] {
        at_every_effect(|number| TearAt { number, code: Code::TargetFailed }, hard_links);
    }
}

#[test]
fn a_repair_on_a_full_disk_breaks_nothing() {
    at_every_effect(|number| FailAt { number, code: Code::NoSpace, and_all_after: true }, false);
}

#[test]
fn a_verify_that_does_not_repair_has_no_effect_on_files() {
    let pair = lived();
    damage(&pair, "deep/doc");
    let disk = Effects::new(DiskTarget::open(&pair.target, DiskOptions::default()).unwrap(), Count);
    verify(&disk, &VerifyOptions::default());
    let log = disk.log();
    let outside: Vec<&String> =
        log.iter().filter(|effect| !effect.contains(".octobackup") && effect.trim() != "lock").collect();
    assert!(outside.is_empty(), "{outside:?}");
}

/// A place that is damaged for the second time: what was kept the first time stays.
#[test]
fn what_was_kept_of_an_earlier_damage_stays_and_the_next_gets_another_name() {
    let pair = lived();
    let first = damage(&pair, "deep/doc");
    assert_eq!(repair(&pair).counts.repaired, 1);
    flip(&pair.target.join("deep/doc"), 5);
    let second = read(&pair, "deep/doc");
    assert_eq!(repair(&pair).counts.repaired, 1);
    assert_eq!(read(&pair, "deep/doc"), GOOD);
    assert_eq!(read(&pair, ".octobackup/damaged/mirror/deep/doc"), first);
    assert_eq!(read(&pair, ".octobackup/damaged/mirror/deep/doc.2"), second);
}
