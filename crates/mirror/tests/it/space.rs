//! What files need of the target's space, and what becomes of those that do not fit.

use crate::loopfs::Mounted;
use crate::pair::Pair;
use octo_core::plan::Compare;
use octo_core::{Code, Outcome, RunReport};
use octo_mirror::RunOptions;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};

const MIB: u64 = 1 << 20;

fn small_ones(pair: &Pair) {
    (0..206).for_each(|i| pair.write(&format!("small/{i:03}"), format!("small {i}").as_bytes(), 1_000_000));
}

/// A file with a few bytes of data at its beginning, in its middle and near its end.
fn sparse(pair: &Pair, name: &str, size: u64) {
    let file = fs::File::create(pair.source.join(name)).unwrap();
    file.set_len(size).unwrap();
    [0, size / 2 + 123, size - 5 * MIB].iter().for_each(|at| file.write_all_at(b"data", *at).unwrap());
}

fn of(report: &RunReport, code: Code) -> Vec<&octo_core::Problem> {
    report.causes.iter().filter(|cause| cause.code == code).flat_map(|cause| &cause.examples).collect()
}

#[test]
fn a_huge_sparse_file_is_copied_with_its_holes() {
    let pair = Pair::new();
    small_ones(&pair);
    let size = 8 << 40;
    sparse(&pair, "huge", size);
    let first = pair.run(&RunOptions::default());
    assert_eq!((first.outcome, first.counts.created), (Outcome::Succeeded, 207), "{first:#?}");
    assert!(first.counts.copied_bytes < 64 * MIB, "{}", first.counts.copied_bytes);
    let copy = fs::File::open(pair.target.join("huge")).unwrap();
    let meta = copy.metadata().unwrap();
    assert!(meta.len() == size && meta.blocks() * 512 < 64 * MIB, "{} blocks", meta.blocks());
    for at in [0, size / 2 + 123, size - 5 * MIB] {
        let mut data = [0; 5];
        copy.read_exact_at(&mut data, at).unwrap();
        assert_eq!(&data, b"data\0", "{at}");
    }
    let second = pair.run(&RunOptions::default());
    assert_eq!((second.outcome, second.counts.unchanged), (Outcome::Succeeded, 207), "{second:#?}");
}

#[test]
fn contents_are_compared_without_reading_holes_that_both_have() {
    let pair = Pair::new();
    sparse(&pair, "huge", 1 << 40);
    assert_eq!(pair.run(&RunOptions::default()).outcome, Outcome::Succeeded);
    let by_content = RunOptions { compare: Compare::Content, ..RunOptions::default() };
    let equal = pair.run(&by_content);
    assert_eq!((equal.counts.unchanged, equal.counts.replaced), (1, 0), "{equal:#?}");
    // Something in the mirror where the source has a hole.
    let copy = fs::File::options().write(true).open(pair.target.join("huge")).unwrap();
    let time = copy.metadata().unwrap().modified().unwrap();
    copy.write_all_at(b"not of the source", 100 * MIB).unwrap();
    copy.set_modified(time).unwrap();
    let mended = pair.run(&by_content);
    assert_eq!((mended.outcome, mended.counts.replaced), (Outcome::Succeeded, 1), "{mended:#?}");
    let mut there = [1; 17];
    fs::File::open(pair.target.join("huge")).unwrap().read_exact_at(&mut there, 100 * MIB).unwrap();
    assert_eq!(there, [0; 17]);
}

#[test]
fn a_file_that_does_not_fit_is_named_and_all_else_goes_on() {
    let mounted = Mounted::ext4(64);
    let mut pair = Pair::new();
    pair.target = mounted.place();
    pair.write("big", b"once it was small", 1_000_000);
    pair.write("gone", b"gone", 1_000_000);
    assert_eq!(pair.run(&RunOptions::default()).outcome, Outcome::Succeeded);
    small_ones(&pair);
    pair.write("big", &vec![7; 90 * MIB as usize], 2_000_000);
    fs::remove_file(pair.source.join("gone")).unwrap();

    let dry = pair.run(&RunOptions { dry_run: true, ..RunOptions::default() });
    assert_eq!(of(&dry, Code::DoesNotFit)[0].path.to_string(), "big", "{dry:#?}");
    assert!(dry.remarks.iter().any(|remark| remark.contains("not everything will fit")), "{dry:#?}");

    let report = pair.run(&RunOptions::default());
    let did = (report.outcome, report.counts.created, report.counts.deleted);
    assert_eq!(did, (Outcome::Warnings, 206, 1), "{report:#?}");
    let problem = of(&report, Code::DoesNotFit)[0];
    assert_eq!(problem.path.to_string(), "big");
    assert!(problem.detail.contains("it takes 90 MiB") && problem.detail.contains("are free"), "{problem:?}");
    assert_eq!(fs::read(pair.target.join("big")).unwrap(), b"once it was small", "the old copy stays");
    assert_eq!(fs::read_dir(pair.target.join(".octobackup/tmp/part")).map_or(0, Iterator::count), 0);
}

#[test]
fn a_file_larger_than_the_filesystem_can_hold_is_named() {
    // With blocks of 1 KiB, as small ones have, a file ends before 8 TiB.
    let mounted = Mounted::ext4(64);
    let mut pair = Pair::new();
    pair.target = mounted.place();
    small_ones(&pair);
    sparse(&pair, "huge", 8 << 40);
    let report = pair.run(&RunOptions::default());
    assert_eq!((report.outcome, report.counts.created), (Outcome::Warnings, 206), "{report:#?}");
    assert!(of(&report, Code::DoesNotFit)[0].detail.contains("files of this size"), "{report:#?}");
}

#[test]
fn copies_under_way_together_do_not_count_on_the_same_space() {
    let mounted = Mounted::ext4(64);
    let mut pair = Pair::new();
    pair.target = mounted.place();
    for i in 0..6 {
        pair.write(&format!("{i}"), &vec![i; 18 * MIB as usize], 1_000_000);
    }
    let report = pair.run(&RunOptions { workers: Some(6), ..RunOptions::default() });
    let fitted = report.counts.created;
    assert!((1..=3).contains(&fitted) && report.outcome == Outcome::Warnings, "{report:#?}");
    assert_eq!(of(&report, Code::DoesNotFit).len() as u64, 6 - fitted);
    assert!(report.remarks.iter().all(|remark| !remark.contains("could not be ended")), "{report:#?}");
    assert!(!pair.target.join(".octobackup/run.open").exists(), "the run could write its own end");
}

#[test]
fn what_was_kept_of_another_large_file_makes_room() {
    let mounted = Mounted::ext4(64);
    let mut pair = Pair::new();
    pair.target = mounted.place();
    pair.write("first", b"first", 1_000_000);
    pair.run(&RunOptions::default());
    // Of a file that the source does not have any more.
    let parts = pair.target.join(".octobackup/tmp/part");
    fs::create_dir_all(&parts).unwrap();
    fs::write(parts.join("0123456789abcdef0123456789abcdef.data"), vec![1; 30 * MIB as usize]).unwrap();
    fs::write(parts.join("0123456789abcdef0123456789abcdef.map"), b"{}").unwrap();
    pair.write("large", &vec![2; 25 * MIB as usize], 1_000_000);
    let report = pair.run(&RunOptions::default());
    assert_eq!((report.outcome, report.counts.created), (Outcome::Succeeded, 1), "{report:#?}");
    assert_eq!(fs::read_dir(&parts).map_or(0, Iterator::count), 0);
}
