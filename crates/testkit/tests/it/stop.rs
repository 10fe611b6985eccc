//! A run that is to stop stops, whatever it waits for.

use octo_core::{
    Cancel, Error, FetchRequest, FetchSink, LinkTarget, ListSink, Listed, Outcome, RelPath, Source, SourceFeatures,
    SourcePin, Timestamp, monitor::Silent,
};
use octo_mirror::{RunOptions, run};
use octo_testkit::clock::TestClock;
use octo_testkit::memory::{MemSource, MemTarget, MemTree};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Is cancelled while it lists one folder, at a time when the walk waits for another.
struct CancelledIn {
    inner: MemSource,
    folder: RelPath,
    cancel: Cancel,
}

impl Source for CancelledIn {
    fn features(&self) -> SourceFeatures {
        self.inner.features()
    }
    fn pin(&self) -> Result<SourcePin, Error> {
        self.inner.pin()
    }
    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        if *folder == self.folder {
            // Time for the walk to get to where it waits; should it not get there, it has nothing to wait for.
            std::thread::sleep(Duration::from_millis(100));
            self.cancel.cancel();
        }
        self.inner.list(folder, sink)
    }
    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        self.inner.fetch(batch, sink);
    }
    fn read_link(&self, path: &RelPath) -> Result<LinkTarget, Error> {
        self.inner.read_link(path)
    }
}

#[test]
fn a_cancelled_run_ends_although_folders_still_wait_to_be_listed() {
    // `a/below` is listed after `b`, `c` and `d`, and needed before them.
    let mut tree = MemTree::new();
    for file in ["a/below/file", "b/file", "c/file", "d/file"] {
        tree = tree.file(file, b"content", Timestamp(1));
    }
    for folder in ["a", "b", "c", "d", "a/below"] {
        let (inner, cancel) = (MemSource::new(&tree), Cancel::new());
        let folder = octo_testkit::source_suite::path(folder);
        let (told, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let clock = Arc::new(TestClock::real());
            let target = MemTarget::new(Arc::clone(&clock) as _);
            let options = RunOptions { workers: Some(1), ..RunOptions::default() };
            let source = CancelledIn { inner, folder, cancel: cancel.clone() };
            let report = run(&source, &target, &options, &Silent, &*clock, &cancel).report;
            let _ = told.send(report.outcome);
        });
        let outcome = ended.recv_timeout(Duration::from_secs(60));
        assert_eq!(outcome, Ok(Outcome::Cancelled), "the run hangs");
    }
}
