//! Promises about options and about time: what is resumed, restamped, compared, pruned, held and kept.

use crate::pair::{Pair, assert_same, before_run, tree};
use crate::review::{run_from, target};
use crate::watched::Watched;
use octo_core::monitor::Silent;
use octo_core::plan::Compare;
use octo_core::{Cancel, Clock, Code, Outcome, RelPath, RunReport, Source};
use octo_disk::LocalSource;
use octo_mirror::RunOptions;
use octo_testkit::clock::TestClock;
use octo_testkit::source_faults::{Fault, FaultySource};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, UNIX_EPOCH};

fn watched(pair: &Pair) -> Watched<LocalSource> {
    Watched::new(LocalSource::open(&pair.source).unwrap())
}

fn run_at(pair: &Pair, options: &RunOptions, days: i64) -> RunReport {
    let clock = TestClock::at(TestClock::real().now().plus_secs(days * 86_400));
    let source = LocalSource::open(&pair.source).unwrap();
    octo_mirror::run(&source, &target(pair), options, &Silent, &clock, &Cancel::new()).report
}

/// Runs until so many bytes were read, and cancels then.
fn cancelled_after(pair: &Pair, bytes: u64) -> RunReport {
    cancelled_by(pair, bytes, &TestClock::real(), &Cancel::new())
}

fn cancelled_by(pair: &Pair, bytes: u64, clock: &dyn Clock, cancel: &Cancel) -> RunReport {
    let stop = cancel.clone();
    let source = watched(pair).after(bytes, move || stop.cancel());
    let options = RunOptions { workers: Some(1), ..RunOptions::default() };
    octo_mirror::run(&source, &target(pair), &options, &Silent, clock, cancel).report
}

const LARGE: usize = 72 << 20;

fn large(seed: usize) -> Vec<u8> {
    (0..LARGE).map(|i| (i / 4096 + i + seed) as u8).collect()
}

#[test]
fn a_large_file_goes_on_where_a_cancelled_run_stopped() {
    let pair = Pair::new();
    pair.write("large", &large(0), 1_000_000);
    let report = cancelled_after(&pair, 40 << 20);
    assert_eq!(report.outcome, Outcome::Cancelled, "{report:#?}");
    assert_eq!(tree(&pair.target), Default::default(), "no half file has a place");
    let source = watched(&pair);
    let report = run_from(&pair, &source, &RunOptions::default());
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:#?}");
    assert!(source.fetched() <= (LARGE - (40 << 20)) as u64, "{} bytes were read again", source.fetched());
    pair.assert_equal();
}

#[test]
fn a_large_file_that_changed_meanwhile_is_read_from_its_beginning() {
    let pair = Pair::new();
    pair.write("large", &large(0), 1_000_000);
    cancelled_after(&pair, 40 << 20);
    pair.write("large", &large(1), 1_000_001);
    let source = watched(&pair);
    assert_eq!(run_from(&pair, &source, &RunOptions::default()).outcome, Outcome::Succeeded);
    assert_eq!(source.fetched(), LARGE as u64);
    pair.assert_equal();
}

#[test]
fn a_cancelled_run_leaves_whole_files_and_says_so() {
    let pair = Pair::new();
    (0..40).for_each(|i| pair.write(&format!("{i:02}"), &vec![i; 1 << 20], 1_000_000));
    fs::create_dir(pair.target.join(".octobackup")).unwrap();
    let report = cancelled_after(&pair, 10 << 20);
    assert_eq!(report.outcome, Outcome::Cancelled, "{report:#?}");
    let source = tree(&pair.source);
    let left = tree(&pair.target);
    assert!(!left.is_empty() && left.len() < 40, "{} files", left.len());
    assert!(left.iter().all(|(path, node)| source.get(path) == Some(node)), "every file is whole");
    let text = fs::read_to_string(pair.target.join(".octobackup/reports/1.json")).unwrap();
    assert!(text.contains(r#""outcome":"cancelled""#), "{text}");
    assert_eq!(pair.run(&RunOptions::default()).outcome, Outcome::Succeeded);
    pair.assert_equal();
}

/// Everything below the mirror's `tmp`.
fn staged(pair: &Pair) -> Vec<std::path::PathBuf> {
    tree(&pair.target.join(".octobackup/tmp")).into_keys().collect()
}

#[test]
fn the_file_under_way_when_a_run_is_cancelled_gets_its_place_and_nothing_is_left_behind() {
    let pair = Pair::new();
    (0..3).for_each(|i| pair.write(&format!("{i}"), &vec![i; 8 << 20], 1_000_000));
    let report = cancelled_after(&pair, 4 << 20);
    assert_eq!((report.outcome, report.counts.created), (Outcome::Cancelled, 1), "{report:#?}");
    assert_eq!(fs::read(pair.target.join("0")).unwrap(), vec![0; 8 << 20]);
    assert_eq!((tree(&pair.target).len(), staged(&pair)), (1, Vec::new()));
}

#[test]
fn a_file_under_way_that_takes_too_long_is_given_up() {
    /// Once the run is cancelled, time flies.
    struct Late(Cancel, TestClock, std::sync::atomic::AtomicU64);
    impl Clock for Late {
        fn now(&self) -> octo_core::Timestamp {
            self.1.now()
        }
        fn monotonic(&self) -> Duration {
            let passed = if self.0.is_cancelled() { 1 } else { 0 };
            let secs = self.2.fetch_add(passed, std::sync::atomic::Ordering::SeqCst);
            self.1.monotonic() + Duration::from_secs(secs)
        }
        fn sleep(&self, duration: Duration) {
            self.1.sleep(duration);
        }
    }
    let pair = Pair::new();
    pair.write("slow", &vec![7; 48 << 20], 1_000_000);
    let cancel = Cancel::new();
    let report = cancelled_by(&pair, 1 << 20, &Late(cancel.clone(), TestClock::real(), 0.into()), &cancel);
    assert_eq!((report.outcome, report.counts.created), (Outcome::Cancelled, 0), "{report:#?}");
    assert_eq!((tree(&pair.target).len(), staged(&pair)), (0, Vec::new()));
}

#[test]
fn a_share_that_hides_what_is_unreadable_deletes_only_when_it_is_trusted() {
    let pair = Pair::new();
    pair.write("a", b"a", 1_000_000);
    pair.write("hidden", b"hidden", 1_000_000);
    let hiding = || watched(&pair).hiding();
    run_from(&pair, &hiding(), &RunOptions::default());
    fs::remove_file(pair.source.join("hidden")).unwrap();
    let held = run_from(&pair, &hiding(), &RunOptions::default());
    assert_eq!((held.outcome, held.counts.held, held.counts.deleted), (Outcome::Held, 1, 0), "{held:#?}");
    assert!(pair.target.join("hidden").exists());
    let trusting = RunOptions { trust_listings: true, ..RunOptions::default() };
    assert_eq!(run_from(&pair, &hiding(), &trusting).outcome, Outcome::Held, "the plan waits for a person still");
    let approve = RunOptions { approve: held.held_plan, ..trusting.clone() };
    assert_eq!(run_from(&pair, &hiding(), &approve).outcome, Outcome::Succeeded);
    pair.write("b", b"b", 1_000_000);
    run_from(&pair, &hiding(), &trusting);
    fs::remove_file(pair.source.join("b")).unwrap();
    let trusted = run_from(&pair, &hiding(), &trusting);
    assert_eq!((trusted.outcome, trusted.counts.deleted), (Outcome::Succeeded, 1), "{trusted:#?}");
}

#[test]
fn a_shift_is_restamped_and_nothing_else_is() {
    let pair = Pair::new();
    pair.write("shifted", b"content", 1_000_000);
    pair.write("changed too", b"content", 1_000_000);
    pair.run(&RunOptions::default());
    pair.write("shifted", b"content", 1_003_600);
    pair.write("changed too", b"other now", 1_003_600);
    let options = RunOptions { restamp_shift_secs: Some(3600), ..RunOptions::default() };
    let before = tree(&pair.target);
    let report = pair.run(&options);
    let did = (report.outcome, report.counts.restamped, report.counts.replaced, report.counts.copied_bytes);
    assert_eq!(did, (Outcome::Succeeded, 1, 1, 9), "{report:#?}");
    pair.assert_equal();
    assert_same(&before_run(&pair.target, 2), &before, "the old time comes back too");
}

#[test]
fn a_tree_whose_times_shifted_by_an_hour_is_compared_and_pulls_no_brake() {
    let pair = Pair::new();
    let all = |secs| (0..1500).for_each(|i| pair.write(&format!("{:02}/{i:04}", i % 7), b"content", secs));
    all(1_000_000);
    pair.run(&RunOptions::default());
    let before = tree(&pair.target);
    all(1_003_600);
    pair.write("00/0000", b"another", 1_003_600);
    let dry = pair.run(&RunOptions { dry_run: true, ..RunOptions::default() });
    assert_eq!((dry.counts.restamped, dry.counts.replaced), (1500, 0), "what would be compared is not called changed");
    let report = pair.run(&RunOptions::default());
    let did = (report.outcome, report.counts.restamped, report.counts.replaced);
    assert_eq!(did, (Outcome::Succeeded, 1499, 1), "{report:#?}");
    assert!(report.remarks.iter().any(|remark| remark.contains(": --restamp-shift=+1h")), "{:?}", report.remarks);
    pair.assert_equal();
    assert_same(&before_run(&pair.target, 2), &before, "the old times and the old content come back");
    fs::remove_file(pair.source.join("00/0000")).unwrap();
    let after = pair.run(&RunOptions::default());
    assert_eq!(
        (after.outcome, after.counts.deleted),
        (Outcome::Succeeded, 1),
        "nothing is held: {:?}",
        after.held_because
    );
    // An encryptor that keeps size and hour of each file is one all the same.
    (0..1500).for_each(|i| pair.write(&format!("{:02}/{i:04}", i % 7), b"garbage", 1_007_200));
    fs::remove_file(pair.source.join("00/0007")).unwrap();
    let encrypted = pair.run(&RunOptions::default());
    assert_eq!((encrypted.outcome, encrypted.counts.deleted), (Outcome::Held, 0), "{encrypted:#?}");
}

/// Other content of the same size and time.
fn silently(file: &std::path::Path, content: &[u8]) {
    let time = fs::metadata(file).unwrap().modified().unwrap();
    fs::write(file, content).unwrap();
    fs::File::options().write(true).open(file).unwrap().set_modified(time).unwrap();
}

#[test]
fn comparing_content_finds_what_rotted_and_comparing_change_times_what_was_hidden() {
    let pair = Pair::new();
    pair.write("rotten", b"content", 1_000_000);
    pair.write("hidden", b"content", 1_000_000);
    pair.write("same", b"content", 1_000_000);
    pair.run(&RunOptions::default());
    silently(&pair.target.join("rotten"), b"CONTENT");
    let plain = pair.run(&RunOptions::default());
    assert_eq!((plain.counts.unchanged, plain.counts.replaced), (3, 0));
    let report = pair.run(&RunOptions { compare: Compare::Content, ..RunOptions::default() });
    assert_eq!((report.counts.unchanged, report.counts.replaced), (2, 1), "{report:#?}");
    pair.assert_equal();
    std::thread::sleep(Duration::from_millis(20));
    silently(&pair.source.join("hidden"), b"changed");
    let report = pair.run(&RunOptions { compare: Compare::ChangeTime, ..RunOptions::default() });
    assert_eq!((report.counts.unchanged, report.counts.replaced), (2, 1), "{report:#?}");
    pair.assert_equal();
}

fn versions(pair: &Pair) -> Vec<u64> {
    let runs = fs::read_dir(pair.target.join(".octobackup/versions")).unwrap();
    let mut runs: Vec<u64> = runs.map(|e| e.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    runs.sort_unstable();
    runs
}

#[test]
fn versions_go_after_thirty_days_but_never_the_last_three() {
    let pair = Pair::new();
    for i in 1..=5 {
        pair.write("file", format!("{i}").as_bytes(), 1_000_000 + i);
        pair.run(&RunOptions::default());
    }
    for days in [10, 20, 29] {
        run_at(&pair, &RunOptions::default(), days);
    }
    assert_eq!(versions(&pair), [1, 2, 3, 4, 5]);
    let report = run_at(&pair, &RunOptions::default(), 31);
    assert_eq!((report.outcome, versions(&pair)), (Outcome::Succeeded, vec![3, 4, 5]), "{report:#?}");
    assert!(report.remarks.iter().any(|remark| remark.contains("of 1 state were removed")), "{report:#?}");
    run_at(&pair, &RunOptions::default(), 3100);
    assert_eq!(versions(&pair), [3, 4, 5]);
    assert_eq!(before_run(&pair.target, 3).values().next().unwrap().content, b"2");
}

#[test]
fn a_clock_that_jumped_removes_no_versions_and_what_it_recorded_blocks_nothing_later() {
    let pair = Pair::new();
    let change = |n: u64| pair.write("file", format!("{n}").as_bytes(), 1_000_000 + n);
    for n in 1..=5 {
        change(n);
        pair.run(&RunOptions::default());
    }
    let says = |report: &RunReport, words: &str| report.remarks.iter().any(|remark| remark.contains(words));
    for days in [365i64, 366, 367, -400, 800] {
        change(2000 + days.unsigned_abs());
        let report = run_at(&pair, &RunOptions::default(), days);
        assert!(says(&report, "no older version was removed for its age"), "{days}: {report:#?}");
    }
    assert_eq!(versions(&pair).len(), 10);
    // The clock is right again, and the ten go when they are old.
    for days in [0, 10, 20, 29] {
        let report = run_at(&pair, &RunOptions::default(), days);
        assert!(!says(&report, "was removed for its age"), "{report:#?}");
    }
    assert_eq!(versions(&pair).len(), 10);
    change(1);
    run_at(&pair, &RunOptions::default(), 29);
    let report = run_at(&pair, &RunOptions::default(), 31);
    assert!(says(&report, "of 7 states were removed"), "{report:#?}");
    // The machine is off for two months. A clock that was watched for long, as a server's, or the source's, may vouch.
    let report = run_at(&pair, &RunOptions::default(), 91);
    assert!(says(&report, "Set the clock if it is wrong"), "{report:#?}");
    let report = run_at(&pair, &RunOptions { clock_is_proven: true, ..RunOptions::default() }, 92);
    assert!(!says(&report, "Set the clock"), "{report:#?}");
}

#[test]
fn a_wave_of_replacements_stops_pruning_and_deleting_until_it_is_released() {
    let pair = Pair::new();
    let write = |content: &str, secs: u64| {
        (0..1100).for_each(|i| pair.write(&format!("{:02}/{i:04}", i % 7), content.as_bytes(), secs));
    };
    write("good", 1_000_000);
    pair.write("gone", b"gone", 1_000_000);
    pair.run(&RunOptions::default());
    write("encrypted", 2_000_000);
    let wave = pair.run(&RunOptions::default());
    assert_eq!((wave.outcome, wave.counts.replaced), (Outcome::Succeeded, 1100), "versions keep the good ones");
    assert!(wave.remarks.iter().any(|remark| remark.ends_with(": --release-brake")), "{:?}", wave.remarks);
    for i in 0..3 {
        pair.write("00/0000", b"again", 3_000_000 + i);
        pair.run(&RunOptions::default());
    }
    fs::remove_file(pair.source.join("gone")).unwrap();
    let proven = RunOptions { clock_is_proven: true, ..RunOptions::default() };
    let held = run_at(&pair, &proven, 31);
    assert_eq!((held.outcome, held.counts.held, versions(&pair).len()), (Outcome::Held, 1, 5), "{held:#?}");
    assert_eq!((held.held_kinds, held.held_examples.len()), (vec![octo_core::guard::HoldKind::BrakeIsOn], 1));
    let approve = RunOptions { approve: held.held_plan, ..RunOptions::default() };
    assert_eq!(run_at(&pair, &approve, 31).counts.deleted, 1, "what is approved is deleted all the same");
    assert_eq!(versions(&pair).len(), 6, "but nothing is pruned");
    let released = run_at(&pair, &RunOptions { release_brake: true, ..RunOptions::default() }, 31);
    assert_eq!((released.outcome, versions(&pair).len()), (Outcome::Succeeded, 3), "{released:#?}");
}

#[test]
fn a_file_whose_data_is_elsewhere_keeps_its_copy() {
    let pair = Pair::new();
    pair.write("offline", b"content", 1_000_000);
    pair.write("other", b"other", 1_000_000);
    pair.run(&RunOptions::default());
    pair.write("offline", b"never read", 2_000_000);
    let source = watched(&pair).without_data_of(b"offline");
    let report = run_from(&pair, &source, &RunOptions::default());
    assert_eq!((report.outcome, report.counts.not_local, source.fetched()), (Outcome::Succeeded, 1, 0), "{report:#?}");
    assert_eq!(fs::read(pair.target.join("offline")).unwrap(), b"content");
}

#[test]
fn a_locked_file_is_copied_at_the_end_of_the_run_or_told() {
    for (times, outcome) in [(1, Outcome::Succeeded), (2, Outcome::Warnings)] {
        let pair = Pair::new();
        pair.write("locked", b"locked", 1_000_000);
        pair.write("other", b"other", 1_000_000);
        let path = RelPath::parse(b"locked").unwrap();
        let source: Box<dyn Source> = Box::new(FaultySource::new(LocalSource::open(&pair.source).unwrap()).with(
            path,
            Fault::Fails(Code::Locked),
            times,
        ));
        let report = run_from(&pair, &*source, &RunOptions::default());
        assert_eq!((report.outcome, report.counts.created), (outcome, 3 - times), "{report:#?}");
    }
}

#[test]
fn odd_names_come_back_from_the_record_of_changes() {
    let pair = Pair::new();
    let names: [&[u8]; 8] = [
        b"new\nline",
        b"quo\"te",
        b"back\\slash",
        b"\xff\xfe bytes",
        b"\x01\x7f",
        b"%41",
        b"\xed\xa0\x80 half",
        b"\xe2\x82\xac",
    ];
    let file = |name: &[u8]| pair.source.join(std::ffi::OsStr::from_bytes(name));
    for name in names {
        fs::write(file(name), name).unwrap();
        let time = UNIX_EPOCH + Duration::from_secs(1_000_000);
        fs::File::options().write(true).open(file(name)).unwrap().set_modified(time).unwrap();
    }
    pair.run(&RunOptions::default());
    let first = tree(&pair.target);
    assert_same(&first, &tree(&pair.source), "as they are");
    for (i, name) in names.iter().enumerate() {
        match i % 2 {
            0 => fs::write(file(name), b"changed").unwrap(),
            _ => fs::rename(file(name), file(&[name, b" moved\t".as_slice()].concat())).unwrap(),
        }
    }
    let report = pair.run(&RunOptions::default());
    let did = (report.outcome, report.counts.moved, report.counts.replaced);
    assert_eq!(did, (Outcome::Succeeded, 4, 4), "{report:#?}");
    pair.assert_equal();
    assert_same(&before_run(&pair.target, 2), &first, "the versions give the first state");
}

#[test]
fn a_folder_whose_listing_does_not_end_is_cut_and_the_rest_is_mirrored() {
    let pair = Pair::new();
    for n in 0..30 {
        pair.write(&format!("endless/{n}"), b"x", 1_000_000);
    }
    pair.write("good/file", b"x", 1_000_000);
    let source = LocalSource::open(&pair.source).unwrap();
    for limits in [
        octo_core::FolderLimits { entries: 20, ..Default::default() },
        octo_core::FolderLimits { scratch_bytes: 500, ..Default::default() },
    ] {
        let options = RunOptions { folder_limits: limits, ..RunOptions::default() };
        let report = run_from(&pair, &source, &options);
        assert_eq!((report.outcome, report.counts.deleted), (Outcome::Warnings, 0), "{report:#?}");
        let cause = report.causes.iter().find(|cause| cause.code == Code::ListingCut).unwrap();
        assert!(cause.examples[0].detail.contains("in one folder"), "{cause:?}");
        assert!(pair.target.join("good/file").exists());
    }
    let report = run_from(&pair, &source, &RunOptions::default());
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:#?}");
    pair.assert_equal();
}
