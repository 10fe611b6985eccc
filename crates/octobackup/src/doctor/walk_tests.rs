//! A bounded look, on folders of this machine.

use crate::doctor::facts::Limit;
use crate::doctor::walk::{WalkOptions, Walked, walk};
use octo_core::{Clock, FilterBuilder, NameRules, RelPath, Timestamp};
use octo_disk::LocalSource;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Every look at it takes so many seconds.
struct Slow(AtomicU64, u64);

impl Clock for Slow {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
    fn monotonic(&self) -> Duration {
        Duration::from_secs(self.0.fetch_add(self.1, Ordering::Relaxed))
    }
    fn sleep(&self, _: Duration) {}
}

fn look(folder: &Path, entries_max: u64, names: Option<&NameRules>, secs: u64) -> Walked {
    let source = LocalSource::open(folder).unwrap();
    let filter = FilterBuilder::new().build().unwrap();
    let wish = WalkOptions { entries_max, filter: &filter, names, times: None };
    walk(&source, &wish, &Slow(AtomicU64::new(0), secs)).unwrap()
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

/// As the probe finds exFAT.
fn exfat() -> NameRules {
    NameRules {
        length_max: 255,
        counts_utf16: false,
        folds_case: true,
        forbidden: "<>:\"|?*\\".into(),
        utf8_only: true,
        windows_rules: false,
    }
}

#[test]
fn names_that_a_target_cannot_hold_are_found_with_their_stored_form() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    for name in ["plain", "a:b", "sub/what?", "Twin", "twin", "x.~octo"] {
        fs::write(folder.path().join(name), "1234").unwrap();
    }
    let seen = look(folder.path(), 100, Some(&exfat()), 0).seen;
    assert_eq!((seen.entries, seen.folders, seen.bytes, seen.limit), (7, 2, 24, None));
    let stored =
        |name: &str| seen.escaped.first.iter().find(|(at, _)| *at == path(name)).map(|(_, stored)| stored.as_str());
    assert_eq!(stored("a:b"), Some("a%3Ab.~octo"));
    assert_eq!(stored("sub/what?"), Some("what%3F.~octo"));
    assert_eq!(stored("x.~octo"), Some("x.~octo.~octo"));
    assert_eq!((stored("Twin"), stored("twin")), (None, Some("twin.~octo")), "whatever the order of the listing");
    assert_eq!(seen.escaped.count, 4, "one of the twins keeps its name");
    assert_eq!(look(folder.path(), 100, Some(&NameRules::POSIX), 0).seen.escaped.count, 1, "what looks escaped");
    assert_eq!(look(folder.path(), 100, None, 0).seen.escaped.count, 0);
}

#[test]
fn a_look_is_bounded_in_entries_and_in_time_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..20 {
        fs::create_dir(folder.path().join(format!("d{n}"))).unwrap();
        fs::write(folder.path().join(format!("d{n}/file")), "").unwrap();
    }
    let all = look(folder.path(), 40, None, 0);
    assert_eq!((all.seen.entries, all.seen.limit), (40, None), "exactly as many are all");
    let cut = look(folder.path(), 39, None, 0);
    assert_eq!((cut.seen.entries, cut.seen.limit), (39, Some(Limit::Entries)));
    assert_eq!(cut.seen.unlisted.count, 0, "what was cut by ourselves is no problem of the source");
    let slow = look(folder.path(), 40, None, 10);
    assert_eq!(slow.seen.limit, Some(Limit::Time));
    assert!(slow.seen.folders < 10);
}

#[test]
fn samples_are_folders_and_the_first_files_and_nothing_that_a_run_leaves_out() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["sub", "$RECYCLE.BIN"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    (0..200).for_each(|n| fs::write(folder.path().join(format!("sub/{n}")), "").unwrap());
    let walked = look(folder.path(), 1000, None, 0);
    assert_eq!(walked.samples.len(), 52);
    assert_eq!(walked.samples[..2], [path(""), path("sub")]);
    assert_eq!(walked.seen.entries, 201);
}
