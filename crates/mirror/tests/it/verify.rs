//! Each flipped bit of a mirror is found and named, and nothing else is blamed.

use crate::pair::Pair;
use crate::support::{assert_verified, verify};
use octo_core::retention::KeepVersions;
use octo_core::{Code, Outcome, Problem, Target};
use octo_disk::{DiskOptions, DiskTarget};
use octo_mirror::{RunOptions, VerifyOptions};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub fn target(pair: &Pair) -> DiskTarget {
    DiskTarget::open(&pair.target, DiskOptions::default()).unwrap()
}

fn all() -> VerifyOptions {
    VerifyOptions::default()
}

/// Every file below a folder, by its path there.
fn files(top: &Path, below: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![top.join(below)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && entry.file_name() != ".octobackup" {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path().strip_prefix(top).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found
}

/// One bit of a file is another afterwards, and nothing else.
pub fn flip(path: &Path, bit: u64) {
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    let time = file.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, bit / 8).unwrap();
    file.write_all_at(&[byte[0] ^ (1 << (bit % 8))], bit / 8).unwrap();
    file.set_modified(time).unwrap();
}

pub fn named(problems: &[Problem], code: Code) -> BTreeSet<String> {
    problems.iter().filter(|problem| problem.code == code).map(|problem| problem.path.to_string()).collect()
}

/// A mirror after some runs: new, changed, moved and deleted files, files with holes, and their versions.
fn lived_in() -> Pair {
    let pair = Pair::new();
    for (n, size) in [0, 1, 1023, 1024, 1025, 4096, 100_000, 3 << 20].into_iter().enumerate() {
        let content: Vec<u8> = (0..size).map(|i: usize| (i * 7 + n) as u8).collect();
        for folder in ["stays", "changes", "moves", "goes/deep"] {
            pair.write(&format!("{folder}/{n}"), &content, 1_000_000 + n as u64);
        }
    }
    let sparse = fs::File::create(pair.source.join("stays/sparse")).unwrap();
    sparse.set_len(20 << 20).unwrap();
    sparse.write_all_at(b"in the middle", 9 << 20).unwrap();
    sparse.write_all_at(b"at the end", (20 << 20) - 10).unwrap();
    assert_eq!(pair.run(&RunOptions::default()).outcome, Outcome::Succeeded);
    assert_verified(&target(&pair), "after the first run");
    for n in 0..8 {
        pair.write(&format!("changes/{n}"), format!("changed {n}").as_bytes(), 2_000_000);
    }
    fs::rename(pair.source.join("moves"), pair.source.join("moved")).unwrap();
    fs::remove_dir_all(pair.source.join("goes")).unwrap();
    fs::rename(pair.source.join("stays/1"), pair.source.join("stays/one")).unwrap();
    let options = RunOptions { max_delete: Some(octo_core::guard::MaxDelete::Percent(100)), ..RunOptions::default() };
    let second = pair.run(&options);
    assert_eq!(second.outcome, Outcome::Succeeded);
    assert!(second.counts.moved > 5 && second.counts.deleted > 5, "{second:#?}");
    for n in 0..8 {
        pair.write(&format!("changes/{n}"), format!("changed once more {n}").as_bytes(), 3_000_000);
    }
    assert_eq!(pair.run(&options).outcome, Outcome::Succeeded);
    pair
}

#[test]
fn each_flipped_bit_of_a_mirror_and_of_its_versions_is_found_and_named() {
    let pair = lived_in();
    assert_verified(&target(&pair), "after the last run");
    let versions = files(&pair.target, ".octobackup/versions");
    let versions = versions.into_iter().filter(|path| path.contains("/tree/"));
    let everything: Vec<String> = files(&pair.target, "").into_iter().chain(versions).collect();
    assert!(everything.len() > 50, "{everything:?}");
    let mut seen = BTreeSet::new();
    for turn in 0..3 {
        let flipped: Vec<(PathBuf, u64)> = everything
            .iter()
            .enumerate()
            .filter_map(|(n, path)| {
                let at = pair.target.join(path);
                let bits = fs::metadata(&at).unwrap().len() * 8;
                // Links of one file are flipped once.
                let is_chosen = n % 3 == turn && bits > 0 && seen.insert(fs::canonicalize(&at).unwrap());
                is_chosen.then_some((at, (n as u64 * 7919 + turn as u64) % bits.max(1)))
            })
            .collect();
        let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
        let mut inodes = BTreeSet::new();
        let flipped: Vec<_> = flipped.into_iter().filter(|(path, _)| inodes.insert(inode(path))).collect();
        flipped.iter().for_each(|(path, bit)| flip(path, *bit));
        let (report, problems) = verify(&target(&pair), &all());
        let should: BTreeSet<String> =
            everything.iter().filter(|path| inodes.contains(&inode(&pair.target.join(path)))).cloned().collect();
        assert_eq!(named(&problems, Code::ContentDamaged), should, "{report:#?}");
        assert_eq!(report.counts.problems, should.len() as u64, "nothing else is blamed: {problems:#?}");
        flipped.iter().for_each(|(path, bit)| flip(path, *bit));
    }
    assert_verified(&target(&pair), "with all bits as they were");
}

#[test]
fn what_somebody_changed_in_the_mirror_is_not_taken_for_damage_of_the_disk() {
    let pair = lived_in();
    fs::write(pair.target.join("stays/4"), b"written by somebody").unwrap();
    let touched = fs::File::options().write(true).open(pair.target.join("stays/5")).unwrap();
    touched.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(7)).unwrap();
    fs::write(pair.target.join("stays/put here"), b"by somebody").unwrap();
    // Another file has another inode: the old one's is not free, or it might be given again.
    fs::rename(pair.target.join("stays/3"), pair.folder.path().join("somewhere else")).unwrap();
    fs::write(pair.target.join("stays/3"), b"another file").unwrap();
    let (report, problems) = verify(&target(&pair), &all());
    let changed = BTreeSet::from(["stays/4".to_owned(), "stays/5".to_owned()]);
    assert_eq!(named(&problems, Code::ChangedInMirror), changed, "{problems:#?}");
    assert_eq!((report.counts.problems, report.counts.unrecorded), (2, 2), "{report:#?}");
    let recording = VerifyOptions { record: true, ..all() };
    let (report, _) = verify(&target(&pair), &recording);
    assert_eq!((report.counts.problems, report.counts.recorded), (2, 2), "what was changed gets no hash: {report:#?}");
}

#[test]
fn a_mirror_without_hashes_gets_them_from_a_verify_that_records() {
    let pair = lived_in();
    fs::remove_dir_all(pair.target.join(".octobackup/hashes")).unwrap();
    let (report, problems) = verify(&target(&pair), &all());
    assert_eq!((report.counts.unrecorded, report.counts.intact), (report.counts.files, 0), "{report:#?}");
    assert!(problems.is_empty() && !report.is_good());
    let (report, _) = verify(&target(&pair), &VerifyOptions { record: true, ..all() });
    assert_eq!(report.counts.recorded, report.counts.files);
    assert_verified(&target(&pair), "recorded");
    assert_eq!(pair.run(&RunOptions::default()).outcome, Outcome::Succeeded);
    assert_verified(&target(&pair), "after one more run");
    flip(&pair.target.join("stays/6"), 9);
    assert_eq!(named(&verify(&target(&pair), &all()).1, Code::ContentDamaged), BTreeSet::from(["stays/6".to_owned()]));
}

#[test]
fn damaged_records_blame_no_file_and_are_told() {
    let pair = lived_in();
    let table = pair.target.join(".octobackup/hashes/table");
    let bits = fs::metadata(&table).unwrap().len() * 8;
    let files = verify(&target(&pair), &all()).0.counts.files;
    for n in 0..40 {
        flip(&table, (n * 7_777_777 + 13) % bits);
    }
    let (report, problems) = verify(&target(&pair), &all());
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(report.damaged_records > 20 && report.counts.unrecorded > 0, "{report:#?}");
    assert_eq!(report.counts.intact + report.counts.unrecorded, files, "{report:#?}");
    assert!(report.counts.intact > files / 4, "the others are found: {report:#?}");
    verify(&target(&pair), &VerifyOptions { record: true, ..all() });
    assert_verified(&target(&pair), "recorded anew");
}

#[test]
fn a_mirror_copied_by_hand_keeps_its_hashes() {
    let pair = lived_in();
    let copy = Pair::new();
    let copied = std::process::Command::new("cp").arg("-a").arg(pair.target.join(".")).arg(&copy.target).status();
    assert!(copied.unwrap().success());
    assert_verified(&target(&copy), "copied");
    flip(&copy.target.join("stays/6"), 1000);
    assert_eq!(named(&verify(&target(&copy), &all()).1, Code::ContentDamaged), BTreeSet::from(["stays/6".to_owned()]));
}

#[test]
fn only_a_share_or_only_what_is_due_is_read() {
    let pair = lived_in();
    let (report, _) = verify(&target(&pair), &VerifyOptions { sample: Some(0.3), ..all() });
    assert!(report.counts.passed_over > 0 && report.counts.intact > 0, "{report:#?}");
    assert_eq!(report.counts.passed_over + report.counts.intact, report.counts.files);
    let due = |secs| VerifyOptions { older_than: Some(Duration::from_secs(secs)), ..all() };
    let (report, _) = verify(&target(&pair), &due(86_400));
    assert_eq!((report.counts.passed_over, report.counts.intact), (report.counts.files, 0), "copied today");
    let (report, _) = verify(&target(&pair), &due(0));
    assert_eq!(report.counts.intact, report.counts.files);
    assert!(report.oldest_checked.is_some());
}

#[test]
fn records_of_what_is_gone_go_too() {
    for keep_versions in [KeepVersions::No, KeepVersions::secs(0)] {
        let pair = Pair::new();
        let options = RunOptions {
            keep_versions,
            max_delete: Some(octo_core::guard::MaxDelete::Percent(100)),
            ..RunOptions::default()
        };
        let mut sizes = Vec::new();
        for turn in 0..12u64 {
            for n in 0..20 {
                pair.write(&format!("{n}"), format!("{turn} of {n}").as_bytes(), 1_000_000 + turn);
            }
            let _ = fs::remove_file(pair.source.join(format!("of turn {}", turn.saturating_sub(1))));
            pair.write(&format!("of turn {turn}"), b"soon gone", 1_000_000);
            assert_eq!(pair.run(&options).outcome, Outcome::Succeeded);
            assert_verified(&target(&pair), &format!("{keep_versions:?}, turn {turn}"));
            sizes.push(fs::metadata(pair.target.join(".octobackup/hashes/table")).unwrap().len());
        }
        assert!(sizes[11] <= sizes[8] && sizes[8] <= sizes[6], "{keep_versions:?}: {sizes:?}");
        assert!(target(&pair).look(&octo_core::RelPath::parse(b".octobackup/hashes/log").unwrap()).unwrap().is_none());
    }
}
