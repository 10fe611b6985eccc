//! What is missing in one place may be in another that this run could not read: deletions wait, and go on by themselves or
//! after a person's approval.

use crate::pair::{Pair, tree};
use crate::review::run_from;
use octo_core::guard::MaxDelete;
use octo_core::listing::{ListSink, Listed};
use octo_core::{Code, FetchRequest, FetchSink, Outcome, RelPath, RunReport, Source, SourceFeatures, SourcePin};
use octo_disk::LocalSource;
use octo_mirror::RunOptions;
use octo_testkit::source_faults::{Fault, FaultySource};
use std::fs;
use std::path::PathBuf;

fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

fn options() -> RunOptions {
    RunOptions { max_delete: Some(MaxDelete::Percent(100)), ..RunOptions::default() }
}

fn closed(pair: &Pair, folder: &str, code: Code) -> FaultySource<LocalSource> {
    let source = LocalSource::open(&pair.source).unwrap();
    FaultySource::new(source).with(path(folder), Fault::ListingCut(0, code), 1)
}

/// Files in a folder and a folder besides, mirrored; then all the files are moved below that other folder.
fn moved_below_another() -> Pair {
    let pair = Pair::new();
    (0..15).for_each(|i| pair.write(&format!("project/{i:02}"), format!("file {i}").as_bytes(), 1_000_000 + i));
    pair.write("other/stays", b"stays", 1_000_000);
    assert_eq!(pair.run(&options()).outcome, Outcome::Succeeded);
    fs::rename(pair.source.join("project"), pair.source.join("other/project")).unwrap();
    pair
}

#[track_caller]
fn assert_waits(report: &RunReport, held: u64, folder: &str) {
    let did = (report.outcome, report.counts.held, report.counts.deleted);
    assert_eq!(did, (Outcome::Held, held, 0), "{report:#?}");
    assert!(report.held_because.iter().any(|why| why.contains(folder)), "{report:#?}");
}

#[test]
fn what_was_moved_into_a_folder_that_cannot_be_read_waits_until_it_can_be() {
    for code in [Code::AccessDenied, Code::ListingCut, Code::ServerFails, Code::OtherDevice, Code::NotFound] {
        let pair = moved_below_another();
        let dry = run_from(&pair, &closed(&pair, "other", code), &RunOptions { dry_run: true, ..options() });
        assert_waits(&dry, 15, "other");
        for _ in 0..2 {
            assert_waits(&run_from(&pair, &closed(&pair, "other", code), &options()), 15, "other");
            assert_eq!(fs::read(pair.target.join("project/07")).unwrap(), b"file 7");
        }
        let read = pair.run(&options());
        assert_eq!((read.outcome, read.counts.moved), (Outcome::Succeeded, 15), "nobody had to approve: {read:#?}");
        pair.assert_equal();
    }
}

#[test]
fn a_person_approves_and_thereby_accepts_the_folder_until_it_was_read_again() {
    let pair = moved_below_another();
    let denied = || closed(&pair, "other", Code::AccessDenied);
    let held = run_from(&pair, &denied(), &options());
    let approve = RunOptions { approve: held.held_plan, ..options() };
    let approved = run_from(&pair, &denied(), &approve);
    assert_eq!((approved.outcome, approved.counts.deleted), (Outcome::Warnings, 15), "{approved:#?}");
    let gone = |name: &str| {
        pair.write(name, b"x", 1_000_000);
        run_from(&pair, &denied(), &options());
        fs::remove_file(pair.source.join(name)).unwrap();
    };
    gone("later");
    let later = run_from(&pair, &denied(), &options());
    assert_eq!((later.outcome, later.counts.deleted), (Outcome::Warnings, 1), "it was accepted: {later:#?}");
    gone("with another");
    let both = denied().with(path("new"), Fault::ListingCut(0, Code::AccessDenied), 1);
    fs::create_dir(pair.source.join("new")).unwrap();
    assert_waits(&run_from(&pair, &both, &options()), 1, "new");
    assert_eq!(pair.run(&options()).outcome, Outcome::Succeeded, "all can be read");
    gone("after it was read");
    assert_waits(&run_from(&pair, &denied(), &options()), 1, "other");
}

#[test]
fn what_was_moved_where_the_mirror_cannot_be_read_waits_too() {
    let pair = Pair::new();
    pair.write("project/file", b"file", 1_000_000);
    fs::create_dir(pair.source.join("other")).unwrap();
    pair.run(&options());
    fs::create_dir(pair.target.join("other/.octobackup")).unwrap();
    fs::write(pair.target.join("other/.octobackup/marker.toml"), b"").unwrap();
    fs::rename(pair.source.join("project"), pair.source.join("other/project")).unwrap();
    assert_waits(&pair.run(&options()), 1, "other");
    fs::remove_dir_all(pair.target.join("other/.octobackup")).unwrap();
    assert_eq!(pair.run(&options()).outcome, Outcome::Succeeded);
    pair.assert_equal();
}

#[test]
fn other_reasons_still_wait_for_a_person_when_the_folder_can_be_read_again() {
    let pair = Pair::new();
    (0..40).for_each(|i| pair.write(&format!("{i:02}"), b"x", 1_000_000));
    fs::create_dir(pair.source.join("other")).unwrap();
    pair.run(&RunOptions::default());
    (0..30).for_each(|i| fs::remove_file(pair.source.join(format!("{i:02}"))).unwrap());
    let held = run_from(&pair, &closed(&pair, "other", Code::AccessDenied), &RunOptions::default());
    assert_eq!((held.outcome, held.held_because.len()), (Outcome::Held, 2), "{held:#?}");
    assert_eq!(pair.run(&options()).outcome, Outcome::Held, "the plan waits");
    let approve = RunOptions { approve: held.held_plan, ..RunOptions::default() };
    assert_eq!(pair.run(&approve).outcome, Outcome::Succeeded);
    pair.assert_equal();
}

/// A folder is deleted after it was listed with its parent and before it is listed itself.
struct Vanishing(LocalSource, PathBuf);

impl Source for Vanishing {
    fn features(&self) -> SourceFeatures {
        self.0.features()
    }
    fn pin(&self) -> Result<SourcePin, octo_core::Error> {
        self.0.pin()
    }
    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        if *folder == path("temp") {
            let _ = fs::remove_dir_all(&self.1);
        }
        self.0.list(folder, sink)
    }
    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        self.0.fetch(batch, sink);
    }
}

#[test]
fn a_folder_that_is_deleted_while_the_run_is_under_way_holds_nothing() {
    let pair = Pair::new();
    pair.write("gone", b"gone", 1_000_000);
    pair.write("temp/file", b"x", 1_000_000);
    pair.run(&options());
    fs::remove_file(pair.source.join("gone")).unwrap();
    let source = Vanishing(LocalSource::open(&pair.source).unwrap(), pair.source.join("temp"));
    let report = run_from(&pair, &source, &options());
    assert_eq!((report.outcome, report.counts.deleted), (Outcome::Warnings, 1), "{report:#?}");
}

#[test]
fn a_damaged_list_of_accepted_folders_accepts_none() {
    let pair = moved_below_another();
    let denied = || closed(&pair, "other", Code::AccessDenied);
    let held = run_from(&pair, &denied(), &options());
    let list = pair.target.join(".octobackup/held/unread.json");
    fs::write(&list, b"{\"all\": true").unwrap();
    assert_waits(&run_from(&pair, &denied(), &options()), 15, "other");
    let approve = RunOptions { approve: held.held_plan, ..options() };
    run_from(&pair, &denied(), &approve);
    assert!(fs::read_to_string(&list).unwrap().contains("\"accepted\":true"));
    assert_eq!(pair.run(&options()).outcome, Outcome::Succeeded);
    assert!(!list.exists() && tree(&pair.target).len() == tree(&pair.source).len());
}
