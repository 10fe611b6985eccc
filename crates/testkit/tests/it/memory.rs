//! A source in memory passes the suite, the groups included that a real folder cannot be brought to; and the suite
//! catches a source that lies.

use octo_core::{
    Code, Error, FetchRequest, FetchSink, ListSink, Listed, RelPath, Source, SourceFeatures, SourcePin, Timestamp,
};
use octo_testkit::memory::{MemSource, MemTree};
use octo_testkit::source_suite;
use octo_testkit::source_suite::{Fixture, path};

struct Memory {
    tree: MemTree,
    source: MemSource,
}

impl Memory {
    fn new() -> Memory {
        let tree = MemTree::new();
        Memory { source: MemSource::new(&tree), tree }
    }
}

impl Fixture for Memory {
    fn source(&self) -> &dyn Source {
        &self.source
    }
    fn make_folder(&self, path: &RelPath) {
        self.tree.make_folder(path, Timestamp(0));
    }
    fn write(&self, path: &RelPath, content: &[u8], time: Timestamp) {
        self.tree.write(path, content, time);
    }
    fn remove(&self, path: &RelPath) {
        self.tree.remove(path);
    }
    fn rename(&self, from: &RelPath, to: &RelPath) {
        self.tree.rename(from, to);
    }
    fn link(&self, path: &RelPath, text: &str) {
        self.tree.make_link(path, text, Timestamp(0));
    }
    fn deny(&self, path: &RelPath) {
        self.tree.deny(path);
    }
    fn take_snapshot(&self) -> Timestamp {
        let latest = self.source.snapshots().unwrap().first().copied();
        let taken = latest.unwrap_or(source_suite::MOMENT).plus_secs(3600);
        self.tree.take_snapshot(taken);
        taken
    }
    fn say(&self, folder: &RelPath, names: &[&[u8]]) {
        self.tree.say(folder, names);
    }
}

source_suite!(Memory::new(), ids, links, deny, snapshots, hostile);

#[test]
fn a_renamed_folder_takes_along_what_is_in_it_and_all_ids() {
    let tree = MemTree::new().file("a/b/file", b"1", Timestamp(1)).file("a!", b"2", Timestamp(2));
    let source = MemSource::new(&tree);
    let before = source_suite::keep_list(&source, &path("a/b"), usize::MAX).meta("file");
    tree.rename(&path("a"), &path("new"));
    let after = source_suite::keep_list(&source, &path("new/b"), usize::MAX).meta("file");
    assert_eq!(before, after);
    assert_eq!(source_suite::keep_list(&source, &RelPath::root(), usize::MAX).names(), [&b"a!"[..], b"new"]);
}

#[test]
fn a_change_keeps_the_id_and_moves_the_change_time() {
    let tree = MemTree::new().file("file", b"1", Timestamp(1));
    let source = MemSource::new(&tree);
    let look = || source_suite::keep_list(&source, &RelPath::root(), usize::MAX).meta("file");
    let before = look();
    tree.write(&path("file"), b"2", Timestamp(1));
    let after = look();
    assert_eq!((after.id, after.creation_time), (before.id, before.creation_time));
    assert!(after.change_time > before.change_time);
    tree.remove(&path("file"));
    tree.write(&path("file"), b"2", Timestamp(1));
    assert_ne!(look().id, before.id);
}

/// A source that tells of the end of each file twice.
struct Twice(MemSource);

impl Source for Twice {
    fn features(&self) -> SourceFeatures {
        self.0.features()
    }
    fn pin(&self) -> Result<SourcePin, Error> {
        self.0.pin()
    }
    fn list(&self, folder: &RelPath, sink: &mut dyn ListSink) -> Listed {
        self.0.list(folder, sink)
    }
    fn fetch(&self, batch: &[FetchRequest], sink: &mut dyn FetchSink) {
        self.0.fetch(batch, sink);
        let _ = sink.failed(0, Error::new(Code::SourceEntry, "once more"));
    }
}

#[test]
#[should_panic(expected = "an event of file 0 after its end")]
fn the_suite_catches_a_second_end_of_a_file() {
    let source = Twice(MemSource::new(&MemTree::new().file("file", b"content", Timestamp(0))));
    source_suite::fetch(&source, &[source_suite::request("file")], None);
}
