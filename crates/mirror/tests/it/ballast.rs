//! Somebody else fills the target's disk: before a run, or in the middle of it.

use crate::loopfs::Mounted;
use crate::pair::Pair;
use crate::support::mirror_watched;
use octo_core::guard::MaxDelete;
use octo_core::retention::KeepVersions;
use octo_core::{Code, Event, Monitor, Outcome, RunReport};
use octo_disk::{DiskOptions, DiskTarget, LocalSource};
use octo_mirror::RunOptions;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Writes until there is no byte left.
fn take_all_bytes(place: &Path) {
    let mut file = fs::File::create(place.join("of somebody else")).unwrap();
    for size in [1 << 20, 64 << 10, 4096, 512] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
}

/// Makes files until there is no inode left.
fn take_all_inodes(place: &Path) {
    for n in 0.. {
        if fs::File::create(place.join(format!("of somebody else {n}"))).is_err() {
            return;
        }
    }
}

/// Fills the disk when the run has begun to change the mirror.
struct Filling<F> {
    fill: F,
    done: AtomicBool,
}

impl<F: Fn() + Send + Sync> Monitor for Filling<F> {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Change(_)) && !self.done.swap(true, Ordering::Relaxed) {
            (self.fill)();
        }
    }
}

/// A mirror in a folder of a filesystem that others use too.
fn beside_others(limits: &str) -> (Mounted, Pair) {
    let mounted = Mounted::tmpfs(limits);
    let mut pair = Pair::new();
    pair.target = mounted.place().join("mirror");
    fs::create_dir(&pair.target).unwrap();
    (mounted, pair)
}

fn run_while(pair: &Pair, options: &RunOptions, fill: impl Fn() + Send + Sync) -> RunReport {
    let source = LocalSource::open(&pair.source).unwrap();
    let target = DiskTarget::open(&pair.target, DiskOptions::default()).unwrap();
    mirror_watched(&source, &target, options, &Filling { fill, done: AtomicBool::new(false) }).report
}

fn ballast(pair: &Pair) -> Vec<PathBuf> {
    let all = fs::read_dir(pair.target.join(".octobackup/ballast"));
    all.map_or_else(|_| Vec::new(), |all| all.map(|entry| entry.unwrap().path()).collect())
}

#[track_caller]
fn assert_ended(pair: &Pair, report: &RunReport) {
    let ours = pair.target.join(".octobackup");
    assert!(!ours.join("run.open").exists(), "the run wrote its own end: {report:#?}");
    let written = fs::read(ours.join(format!("reports/{}.json", report.run))).unwrap();
    let written: RunReport = serde_json::from_slice(&written).unwrap();
    assert_eq!(written.outcome, report.outcome);
    assert!(report.remarks.iter().all(|remark| !remark.contains("could not be ended")), "{report:#?}");
}

#[test]
fn a_disk_that_somebody_else_fills_during_a_run_does_not_keep_it_from_its_end() {
    type Fill = fn(&Path);
    for (limits, fill) in [("size=24m", take_all_bytes as Fill), ("size=64m,nr_inodes=400", take_all_inodes as Fill)] {
        let (mounted, pair) = beside_others(limits);
        for i in 0..60 {
            pair.write(&format!("{i}/file"), &vec![i; 20_000], 1_000_000);
        }
        let report =
            run_while(&pair, &RunOptions { workers: Some(1), ..RunOptions::default() }, || fill(&mounted.place()));
        assert_eq!((report.outcome, report.causes[0].code), (Outcome::Failed, Code::NoSpace), "{limits}: {report:#?}");
        assert_ended(&pair, &report);
        let held = report.remarks.iter().find(|remark| remark.contains("of the target's disk")).unwrap();
        assert!(limits.contains("inodes") || held.contains("not of this mirror"), "{held}");
        // As soon as there is room again, the work goes on and the ballast is there again.
        fs::read_dir(mounted.place())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .for_each(|path| fs::remove_file(path).unwrap());
        let next = pair.run(&RunOptions::default());
        assert_eq!(next.outcome, Outcome::Succeeded, "{limits}: {next:#?}");
        pair.assert_equal();
        assert!(ballast(&pair).len() > 8, "{limits}");
    }
}

#[test]
fn with_nothing_free_deletions_still_work() {
    type Fill = fn(&Path);
    for (limits, fill) in [("size=24m", take_all_bytes as Fill), ("size=64m,nr_inodes=400", take_all_inodes as Fill)] {
        for keep_versions in [KeepVersions::No, KeepVersions::default()] {
            let options =
                RunOptions { keep_versions, max_delete: Some(MaxDelete::Percent(100)), ..RunOptions::default() };
            let (mounted, pair) = beside_others(limits);
            for i in 0..40 {
                pair.write(&format!("{}/sub/{i}", i % 4), b"content", 1_000_000);
            }
            assert_eq!(pair.run(&options).outcome, Outcome::Succeeded);
            fill(&mounted.place());
            for i in 0..3 {
                fs::remove_dir_all(pair.source.join(i.to_string())).unwrap();
            }
            let report = pair.run(&options);
            let did = (report.outcome, report.counts.deleted, report.counts.folders_deleted);
            assert_eq!(did, (Outcome::Succeeded, 30, 6), "{limits} {keep_versions:?}: {report:#?}");
            assert_ended(&pair, &report);
            let versions = pair.target.join(".octobackup/versions/2/tree/1/sub/1");
            assert_eq!(versions.exists(), keep_versions != KeepVersions::No, "no version is given up in silence");
        }
    }
}

#[test]
fn on_a_full_disk_versions_that_are_due_go_first_and_no_others() {
    let mounted = Mounted::ext4(64);
    let mut pair = Pair::new();
    pair.target = mounted.place();
    let run = |keep_versions| pair.run(&RunOptions { keep_versions, release_brake: true, ..RunOptions::default() });
    // 20 MiB are kept of each of the first two states, and next to nothing of the others.
    let write = |n: u8, size: usize| {
        for i in 0..4 {
            pair.write(&format!("{i}"), &vec![n; size], 1_000_000 + u64::from(n));
        }
    };
    for (n, size) in [(1, 5 << 20), (2, 5 << 20), (3, 10), (4, 10), (5, 10), (6, 10)] {
        write(n, size);
        assert_eq!(run(KeepVersions::default()).outcome, Outcome::Succeeded, "{n}");
    }
    (0..8).for_each(|i| pair.write(&format!("new {i}"), &vec![9; 3 << 20], 1_000_000));
    let full = run(KeepVersions::default());
    assert_eq!((full.outcome, full.causes[0].code), (Outcome::Failed, Code::NoSpace), "{full:#?}");
    let held = full.remarks.iter().find(|remark| remark.contains("of the target's disk")).unwrap();
    assert!(held.contains("older versions of ") && held.contains("about 40 MiB"), "{held}");
    assert!(pair.target.join(".octobackup/versions/3/tree/0").exists(), "they are promised for 30 days");
    let kept = run(KeepVersions::secs(0));
    assert_eq!(kept.outcome, Outcome::Succeeded, "{kept:#?}");
    assert!(kept.remarks.iter().any(|remark| remark.contains("older versions of")), "{kept:#?}");
    pair.assert_equal();
}

#[test]
fn what_a_killed_run_left_of_the_ballast_is_made_whole() {
    let (_mounted, pair) = beside_others("size=64m");
    pair.write("a", b"a", 1_000_000);
    pair.run(&RunOptions::default());
    let whole = ballast(&pair).len();
    let sizes = || ballast(&pair).iter().map(|path| fs::metadata(path).unwrap().len()).sum::<u64>();
    let before = sizes();
    assert!((1 << 19..4 << 20).contains(&before), "{before}");
    let large = pair.target.join(".octobackup/ballast/large-1");
    fs::File::options().write(true).open(&large).unwrap().set_len(100).unwrap();
    fs::remove_file(pair.target.join(".octobackup/ballast/small-0")).unwrap();
    assert_eq!(pair.run(&RunOptions::default()).outcome, Outcome::Succeeded);
    assert_eq!((ballast(&pair).len(), sizes()), (whole, before));
}

#[test]
fn without_versions_a_full_disk_is_freed_by_the_deletions_and_filled_by_the_copies() {
    for limits in ["size=64m,nr_inodes=400", "size=24m"] {
        let options = RunOptions {
            keep_versions: KeepVersions::No,
            max_delete: Some(MaxDelete::Percent(100)),
            ..RunOptions::default()
        };
        let (_mounted, pair) = beside_others(limits);
        for i in 0..450 {
            pair.write(&format!("old {}/{i}", i % 3), &vec![7; 60_000], 1_000_000);
        }
        let full = pair.run(&options);
        assert_eq!((full.outcome, full.causes[0].code), (Outcome::Failed, Code::NoSpace), "{limits}: {full:#?}");
        assert!(full.counts.created > 100);
        // Now the source has less, and nothing of the old.
        (0..3).for_each(|i| fs::remove_dir_all(pair.source.join(format!("old {i}"))).unwrap());
        for i in 0..120 {
            pair.write(&format!("new {}/{i}", i % 3), &vec![8; 61_000], 2_000_000);
        }
        let next = pair.run(&options);
        assert_eq!((next.outcome, next.counts.created), (Outcome::Succeeded, 120), "{limits}: {next:#?}");
        pair.assert_equal();
    }
}

#[test]
fn what_may_have_been_renamed_is_not_deleted_before_it_is_copied() {
    let (_mounted, pair) = beside_others("size=24m");
    let options = RunOptions {
        keep_versions: KeepVersions::No,
        max_delete: Some(MaxDelete::Percent(100)),
        ..RunOptions::default()
    };
    for i in 0..400 {
        pair.write(&format!("old/{i}"), &vec![7; 70_000], 1_000_000);
    }
    assert_eq!(pair.run(&options).outcome, Outcome::Failed);
    let before = fs::read_dir(pair.target.join("old")).unwrap().count();
    // Copied to another place, so that no id tells of it.
    fs::create_dir(pair.source.join("renamed")).unwrap();
    for i in 0..400 {
        pair.write(&format!("renamed/{i}"), &vec![7; 70_000], 1_000_000);
    }
    fs::remove_dir_all(pair.source.join("old")).unwrap();
    let report = pair.run(&options);
    assert_eq!((report.outcome, report.counts.deleted), (Outcome::Failed, 0), "{report:#?}");
    assert_eq!(fs::read_dir(pair.target.join("old")).unwrap().count(), before);
}
