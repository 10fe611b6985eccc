//! What a run asks of a source: every folder once, and only the files that differ.

use octo_core::{Cancel, Change, Outcome, Phase, RelPath, Timestamp};
use octo_mirror::{RunOptions, run};
use octo_testkit::clock::TestClock;
use octo_testkit::memory::{MemSource, MemTarget, MemTree};
use octo_testkit::recording::{Calls, Observed, Recorded, RecordingMonitor};
use octo_testkit::source_suite::path;
use std::collections::BTreeMap;
use std::sync::Arc;

fn mirror(tree: &MemTree, target: &MemTarget, clock: &TestClock) -> (Calls, Observed) {
    let (source, monitor) = (Recorded::new(MemSource::new(tree)), RecordingMonitor::new());
    let report = run(&source, target, &RunOptions::default(), &monitor, clock, &Cancel::new()).report;
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:#?}");
    (source.calls(), monitor.reported())
}

fn once(paths: &[&str]) -> BTreeMap<RelPath, u64> {
    paths.iter().map(|text| (path(text), 1)).collect()
}

#[test]
fn every_folder_is_listed_once_and_only_what_differs_is_fetched() {
    let clock = Arc::new(TestClock::real());
    let target = MemTarget::new(Arc::clone(&clock) as _);
    let mut tree = MemTree::new().link("link", "a", Timestamp(10)).folder("empty", Timestamp(10));
    for n in 0..100 {
        tree = tree.file(&format!("a/b/{n}"), &[b'x'; 10], Timestamp(10));
    }
    let folders = once(&["", "a", "a/b", "empty"]);

    let (calls, told) = mirror(&tree, &target, &clock);
    assert_eq!((calls.lists, calls.links), (folders.clone(), once(&["link"])));
    assert_eq!((calls.fetches.len(), calls.fetches.values().max()), (100, Some(&1)));
    assert_eq!(calls.bytes, 1000);
    assert!(calls.batches < 50, "{} batches for 100 small files", calls.batches);
    assert_eq!((told.changes.len(), told.problems.len()), (100 + 4, 0), "files, folders and the link");
    let phases = [Phase::Check, Phase::Copy, Phase::Finish, Phase::Delete, Phase::Settle];
    assert_eq!(told.phases, phases);

    let (calls, told) = mirror(&tree, &target, &clock);
    assert_eq!((calls.lists, calls.fetches.len(), calls.bytes), (folders.clone(), 0, 0), "nothing has changed");
    assert!(told.changes.is_empty() && told.problems.is_empty(), "{told:?}");

    tree.write(&path("a/b/7"), b"other", Timestamp(20));
    tree.rename(&path("a/b/8"), &path("empty/8"));
    let (calls, told) = mirror(&tree, &target, &clock);
    assert_eq!((calls.lists, calls.fetches, calls.bytes), (folders, once(&["a/b/7"]), 5), "a rename is no copy");
    let moved = Change::Moved { from: path("a/b/8"), to: path("empty/8") };
    assert!(told.changes.contains(&moved), "{:?}", told.changes);
}
