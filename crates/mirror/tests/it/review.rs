//! What an adversary tried: listings that prove nothing, sets that wait for a person, waves of replacements, names that
//! are cut. Each of these was possible once.

use crate::pair::{Pair, tree};
use crate::support::mirror;
use crate::watched::Watched;
use octo_core::guard::MaxDelete;
use octo_core::plan::Compare;
use octo_core::retention::KeepVersions;
use octo_core::{Code, Outcome, RelPath, RunReport, Source, Target};
use octo_disk::{DiskOptions, DiskTarget, LocalSource};
use octo_mirror::RunOptions;
use octo_testkit::source_faults::{Fault, FaultySource};
use std::fs;

pub fn target(pair: &Pair) -> DiskTarget {
    DiskTarget::open(&pair.target, DiskOptions::default()).unwrap()
}

pub fn run_from(pair: &Pair, source: &dyn Source, options: &RunOptions) -> RunReport {
    mirror(source, &target(pair), options).report
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

fn anything_goes() -> RunOptions {
    RunOptions { max_delete: Some(MaxDelete::Percent(100)), ..RunOptions::default() }
}

fn cut(pair: &Pair, folder: &str) -> FaultySource<LocalSource> {
    let source = LocalSource::open(&pair.source).unwrap();
    FaultySource::new(source).with(path(folder), Fault::ListingCut(usize::MAX, Code::ListingCut), 1)
}

#[test]
fn a_listing_that_was_cut_proves_no_change_of_kind() {
    let pair = Pair::new();
    pair.write("was a folder/precious", b"precious", 1_000_000);
    pair.write("other", b"other", 1_000_000);
    pair.run(&anything_goes());
    fs::remove_dir_all(pair.source.join("was a folder")).unwrap();
    pair.write("was a folder", b"a file", 1_000_000);
    let report = run_from(&pair, &cut(&pair, ""), &anything_goes());
    assert_eq!((report.outcome, report.counts.deleted), (Outcome::Warnings, 0), "{report:#?}");
    assert_eq!(fs::read(pair.target.join("was a folder/precious")).unwrap(), b"precious");
    assert_eq!(pair.run(&anything_goes()).outcome, Outcome::Succeeded);
    pair.assert_equal();
}

#[test]
fn what_is_held_after_adoption_stays_held_when_a_later_listing_is_cut() {
    let pair = Pair::new();
    pair.write("a", b"a", 1_000_000);
    fs::write(pair.target.join("precious"), b"not ours").unwrap();
    let adopted = pair.run(&RunOptions { adopt: true, ..RunOptions::default() });
    assert_eq!((adopted.outcome, adopted.counts.held), (Outcome::Held, 1));
    let blind = run_from(&pair, &cut(&pair, ""), &RunOptions::default());
    assert_eq!((blind.outcome, &blind.held_plan), (Outcome::Held, &adopted.held_plan), "{blind:#?}");
    let later = pair.run(&RunOptions::default());
    assert_eq!((later.outcome, later.counts.held), (Outcome::Held, 1), "{later:#?}");
    assert_eq!(fs::read(pair.target.join("precious")).unwrap(), b"not ours");
    let approve = RunOptions { approve: later.held_plan, ..RunOptions::default() };
    assert_eq!(pair.run(&approve).outcome, Outcome::Succeeded);
    pair.assert_equal();
}

#[test]
fn adoption_without_deleting_still_holds_the_first_deletions() {
    let pair = Pair::new();
    pair.write("a", b"a", 1_000_000);
    fs::write(pair.target.join("precious"), b"not ours").unwrap();
    let adopt = RunOptions { adopt: true, no_delete: true, ..RunOptions::default() };
    assert_eq!(pair.run(&adopt).outcome, Outcome::Succeeded);
    let later = pair.run(&RunOptions::default());
    assert_eq!((later.outcome, later.counts.held), (Outcome::Held, 1), "{later:#?}");
    assert!(pair.target.join("precious").exists());
}

fn numbered(pair: &Pair, content: &str, secs: u64) {
    (0..1200).for_each(|i| pair.write(&format!("{:02}/{i:04}", i % 7), format!("{content} {i}").as_bytes(), secs));
}

#[test]
fn without_versions_a_wave_of_replacements_waits_run_after_run_until_it_is_released() {
    let pair = Pair::new();
    numbered(&pair, "good", 1_000_000);
    pair.write("gone", b"gone", 1_000_000);
    let options = RunOptions { keep_versions: KeepVersions::No, ..RunOptions::default() };
    pair.run(&options);
    numbered(&pair, "encrypted", 2_000_000);
    fs::remove_file(pair.source.join("gone")).unwrap();
    let first = pair.run(&options);
    assert_eq!((first.outcome, first.counts.replaced, first.counts.deleted), (Outcome::Held, 1000, 0), "{first:#?}");
    assert!(first.causes.iter().any(|c| c.code == Code::ReplacementsHeld), "{first:#?}");
    let second = pair.run(&options);
    assert_eq!((second.counts.replaced, second.counts.deleted), (0, 0), "{second:#?}");
    assert!(second.causes.iter().any(|c| c.code == Code::ReplacementsHeld), "{second:#?}");
    let released = RunOptions { release_brake: true, approve: second.held_plan, ..options };
    let third = pair.run(&released);
    assert_eq!((third.outcome, third.counts.replaced, third.counts.deleted), (Outcome::Succeeded, 200, 1));
    pair.assert_equal();
}

/// So long, and ending like an escape of ours: it cannot be stored but cut.
fn cut_name(first: char) -> String {
    format!("{first}{}.~octo", "x".repeat(243))
}

/// The cut form in the mirror.
fn stored(pair: &Pair, first: &str) -> RelPath {
    let is_it = |name: &&std::path::PathBuf| name.to_str().unwrap().starts_with(first);
    path(tree(&pair.target).keys().find(is_it).unwrap().to_str().unwrap())
}

fn full_names(pair: &Pair) -> Vec<String> {
    let target = target(pair);
    let name = |at: &std::path::PathBuf| target.recorded_name(&path(at.to_str().unwrap())).unwrap();
    let mut names: Vec<_> = tree(&pair.target).keys().filter_map(name).map(|n| String::from_utf8(n).unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_full_name_of_a_cut_one_is_recorded_however_it_came_into_the_mirror() {
    let pair = Pair::new();
    pair.write("moves", b"moves", 1_000_000);
    pair.write(&cut_name('a'), b"copied", 1_000_000);
    pair.write(&cut_name('A'), b"copied and moved", 1_000_000);
    pair.run(&RunOptions::default());
    target(&pair).record_name(&stored(&pair, "a"), b"a wrong one").unwrap();
    fs::rename(pair.source.join(cut_name('A')), pair.source.join(cut_name('e'))).unwrap();
    fs::rename(pair.source.join("moves"), pair.source.join(cut_name('b'))).unwrap();
    std::os::unix::fs::symlink("a link", pair.source.join(cut_name('c'))).unwrap();
    fs::create_dir(pair.source.join(cut_name('d'))).unwrap();
    let report = pair.run(&RunOptions::default());
    assert_eq!((report.outcome, report.counts.moved), (Outcome::Succeeded, 2), "{report:#?}");
    assert_eq!(full_names(&pair), ['a', 'b', 'c', 'd', 'e'].map(cut_name));
}

#[test]
fn several_failed_listings_lose_nothing_of_the_index() {
    let pair = Pair::new();
    for folder in ["a", "b", "c"] {
        pair.write(&format!("{folder}/file"), folder.as_bytes(), 1_000_000);
    }
    pair.write("z", b"z", 1_000_000);
    pair.run(&anything_goes());
    let source = LocalSource::open(&pair.source).unwrap();
    let denied = |folder| (path(folder), Fault::ListingCut(0, Code::AccessDenied));
    let source = ["a", "b", "c"].map(denied).into_iter().fold(FaultySource::new(source), |s, (p, f)| s.with(p, f, 1));
    pair.write("z", b"changed", 2_000_000);
    assert_eq!(run_from(&pair, &source, &anything_goes()).outcome, Outcome::Warnings);
    for folder in ["a", "b", "c"] {
        fs::rename(pair.source.join(folder).join("file"), pair.source.join(format!("{folder} moved"))).unwrap();
    }
    let report = pair.run(&anything_goes());
    assert_eq!((report.outcome, report.counts.moved, report.counts.created), (Outcome::Succeeded, 3, 0), "{report:#?}");
    pair.assert_equal();
}

#[test]
fn a_file_that_was_cut_off_before_its_content_was_compared_is_not_called_unchanged() {
    let pair = Pair::new();
    pair.write("file", b"the beginning and the end", 1_000_000);
    pair.run(&RunOptions::default());
    let file = pair.source.join("file");
    let source = Watched::new(LocalSource::open(&pair.source).unwrap()).before_fetch(move || {
        fs::File::options().write(true).open(&file).unwrap().set_len(13).unwrap();
    });
    let report = run_from(&pair, &source, &RunOptions { compare: Compare::Content, ..RunOptions::default() });
    assert_eq!((report.outcome, report.counts.replaced, report.counts.unchanged), (Outcome::Succeeded, 1, 0));
    pair.assert_equal();
}

#[test]
fn a_dry_run_says_what_the_run_would_do_with_these_options_too() {
    let pair = Pair::new();
    pair.write("kind/x", b"x", 1_000_000);
    pair.write("gone", b"gone", 1_000_000);
    pair.run(&RunOptions::default());
    fs::remove_dir_all(pair.source.join("kind")).unwrap();
    pair.write("kind", b"a file", 1_000_000);
    fs::remove_file(pair.source.join("gone")).unwrap();
    let did = |r: &RunReport| (r.outcome, r.counts.created, r.counts.deleted, r.counts.held, r.counts.problems);
    let options = RunOptions { no_delete: true, ..RunOptions::default() };
    let dry = pair.run(&RunOptions { dry_run: true, ..options.clone() });
    assert_eq!(did(&dry), did(&pair.run(&options)));
    // The source is the same one: nothing has to be accepted, and nothing is held for it.
    let options = RunOptions { accept_source: true, release_brake: true, ..anything_goes() };
    let dry = pair.run(&RunOptions { dry_run: true, ..options.clone() });
    assert_eq!(did(&dry), did(&pair.run(&options)));
    pair.assert_equal();
}
