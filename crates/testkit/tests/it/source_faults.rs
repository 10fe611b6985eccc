//! Sources that fail or lie, through the real engine: nothing is deleted without proof, no file is half of each.

use octo_core::{
    Abilities, Cancel, Code, FilterBuilder, Outcome, RelPath, RunReport, Target, Timestamp, monitor::Silent,
};
use octo_disk::{DiskOptions, DiskTarget, LocalSource};
use octo_mirror::{RunOptions, run};
use octo_testkit::clock::TestClock;
use octo_testkit::memory::{MemSource, MemTarget, MemTree};
use octo_testkit::source_faults::{Fault, FaultySource};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// A mirror of `folder/{file,gone,stays}`; since then `file` has new content, `gone` is gone and `new` is new.
struct World(tempfile::TempDir);

const OLD: &[u8] = b"the old content";
const NEW: &[u8] = b"content that is new and longer";

impl World {
    fn new() -> World {
        let world = World(tempfile::tempdir().unwrap());
        fs::create_dir_all(world.0.path().join("source/folder")).unwrap();
        fs::create_dir(world.0.path().join("mirror")).unwrap();
        for name in ["file", "gone", "stays"] {
            world.write(name, OLD, 1_000_000);
        }
        assert_eq!(world.run(&[]).outcome, Outcome::Succeeded);
        world.write("file", NEW, 2_000_000);
        world.write("new", NEW, 2_000_000);
        fs::remove_file(world.0.path().join("source/folder/gone")).unwrap();
        world
    }

    fn write(&self, name: &str, content: &[u8], secs: u64) {
        let path = self.0.path().join("source/folder").join(name);
        fs::write(&path, content).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(secs)).unwrap();
    }

    fn run(&self, faults: &[(&str, Fault, u64)]) -> RunReport {
        let mut source = FaultySource::new(LocalSource::open(&self.0.path().join("source")).unwrap());
        for (path, fault, times) in faults {
            source = source.with(RelPath::parse(path.as_bytes()).unwrap(), fault.clone(), *times);
        }
        let target = DiskTarget::open(&self.0.path().join("mirror"), DiskOptions::default()).unwrap();
        let clock = TestClock::at(Timestamp::from_unix(1_800_000_000, 0));
        run(&source, &target, &RunOptions::default(), &Silent, &clock, &Cancel::new()).report
    }

    fn mirrored(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.0.path().join("mirror/folder").join(name)).ok()
    }

    fn assert_next_run_settles(&self, context: &str) {
        let report = self.run(&[]);
        assert_eq!(report.outcome, Outcome::Succeeded, "after {context}: {report:#?}");
        assert_eq!(self.mirrored("file").as_deref(), Some(NEW), "after {context}");
        assert_eq!(self.mirrored("new").as_deref(), Some(NEW), "after {context}");
        assert_eq!(self.mirrored("gone"), None, "after {context}");
        assert_eq!(self.mirrored("stays").as_deref(), Some(OLD), "after {context}");
    }
}

#[test]
fn a_listing_that_is_cut_or_lies_deletes_nothing() {
    let faults = [
        Fault::ListingCut(0, Code::ListingCut),
        Fault::ListingCut(1, Code::AccessDenied),
        Fault::ListingCut(2, Code::ConnectionLost),
        Fault::ListedTwice,
        Fault::HostileName(b".."),
        Fault::HostileName(b"a/../../b"),
        Fault::HostileName(b"nul\0"),
    ];
    for fault in faults {
        let world = World::new();
        let report = world.run(&[("folder", fault.clone(), u64::MAX)]);
        let context = format!("{fault:?}: {report:#?}");
        assert!(matches!(report.outcome, Outcome::Warnings | Outcome::Failed), "{context}");
        assert_eq!(world.mirrored("gone").as_deref(), Some(OLD), "{context}");
        assert_eq!(world.mirrored("stays").as_deref(), Some(OLD), "{context}");
        world.assert_next_run_settles(&context);
    }
}

/// A name twice is a lie, whether or not it belongs to the job, or one of the two does for its kind.
#[test]
fn a_listing_that_gives_an_excluded_name_twice_deletes_nothing() {
    let at = |text: &str| RelPath::parse(text.as_bytes()).unwrap();
    let (x, escaped) = (b"x".as_slice(), b"y.~octo".as_slice());
    // The last one would be stored under another name.
    for (excluded, name, names) in [("x", x, [x, x].as_slice()), ("x/", x, &[x]), ("y.~octo/", escaped, &[escaped])] {
        for folds_case in [false, true] {
            let tree = MemTree::new().file("folder/gone", OLD, Timestamp(0));
            let tree = tree.folder(&format!("folder/{}", String::from_utf8_lossy(name)), Timestamp(0));
            let mut abilities = Abilities::full("ext4");
            abilities.names.folds_case = folds_case;
            let clock = Arc::new(TestClock::at(Timestamp::from_unix(1_800_000_000, 0)));
            let target = MemTarget::with(abilities, u64::MAX, Arc::clone(&clock) as _);
            let rules = FilterBuilder::new().defaults(false).exclude(excluded).unwrap();
            let options = RunOptions { filter: rules.build().unwrap(), ..RunOptions::default() };
            let sync = || run(&MemSource::new(&tree), &target, &options, &Silent, &*clock, &Cancel::new()).report;
            let is_kept = || target.look(&at("folder/gone")).unwrap().is_some();

            assert_eq!(sync().outcome, Outcome::Succeeded);
            tree.remove(&at("folder/gone"));
            tree.write(&at("stays"), NEW, Timestamp(0));
            tree.say(&at("folder"), names);
            let report = sync();
            assert_eq!((is_kept(), report.counts.deleted), (true, 0), "{excluded}: {report:#?}");
            assert!(report.counts.problems > 0, "{report:#?}");
        }
    }
}

/// An excluded name that is the escaped form of another one is not that one.
#[test]
fn an_excluded_name_that_looks_like_another_one_escaped_does_not_stop_deletions() {
    let tree = MemTree::new().file("y.~octo", OLD, Timestamp(0)).file("gone", OLD, Timestamp(0));
    let tree = tree.file("y.~octo.~octo", OLD, Timestamp(0));
    let clock = Arc::new(TestClock::at(Timestamp::from_unix(1_800_000_000, 0)));
    let target = MemTarget::with(Abilities::full("ext4"), u64::MAX, Arc::clone(&clock) as _);
    let rules = FilterBuilder::new().defaults(false).exclude("y.~octo.~octo").unwrap();
    let options = RunOptions { filter: rules.build().unwrap(), ..RunOptions::default() };
    let sync = || run(&MemSource::new(&tree), &target, &options, &Silent, &*clock, &Cancel::new()).report;
    assert_eq!(sync().outcome, Outcome::Succeeded);
    // Under the very name that is excluded.
    assert!(target.look(&RelPath::parse(b"y.~octo.~octo").unwrap()).unwrap().is_some());

    tree.remove(&RelPath::parse(b"gone").unwrap());
    let report = sync();
    assert_eq!((report.outcome, report.counts.deleted), (Outcome::Succeeded, 1), "{report:#?}");
}

#[test]
fn a_listing_that_begins_again_counts_from_there() {
    for entries in [0, 1, 100] {
        let world = World::new();
        let report = world.run(&[("folder", Fault::ListedAnew(entries), 1)]);
        assert_eq!((report.outcome, report.counts.problems), (Outcome::Succeeded, 0), "{report:#?}");
        assert_eq!(world.mirrored("gone"), None, "{report:#?}");
        world.assert_next_run_settles("a listing that began again");
    }
}

#[test]
fn a_file_that_never_comes_whole_keeps_its_old_copy_and_is_told() {
    let faults = [
        Fault::Fails(Code::AccessDenied),
        Fault::Fails(Code::Locked),
        Fault::Fails(Code::KindMoved),
        Fault::Fails(Code::NotFound),
        Fault::Fails(Code::ConnectionLost),
        Fault::FailsHalfway(Code::SourceEntry),
        Fault::FailsHalfway(Code::ConnectionLost),
        Fault::DataMissing,
        Fault::AnnouncesMore,
        Fault::TimeMoves,
        Fault::DataBeyond,
    ];
    for fault in faults {
        let world = World::new();
        let report = world.run(&[("folder/file", fault.clone(), u64::MAX)]);
        let context = format!("{fault:?}: {report:#?}");
        assert!(matches!(report.outcome, Outcome::Warnings | Outcome::Failed), "{context}");
        assert_eq!(world.mirrored("file").as_deref(), Some(OLD), "{context}");
        world.assert_next_run_settles(&context);
    }
}

#[test]
fn a_file_that_comes_whole_at_the_second_attempt_is_copied_in_the_same_run() {
    for fault in [Fault::Fails(Code::Locked), Fault::TimeMoves, Fault::DataMissing] {
        let world = World::new();
        let report = world.run(&[("folder/file", fault.clone(), 1)]);
        assert_eq!(report.outcome, Outcome::Succeeded, "{fault:?}: {report:#?}");
        assert_eq!(world.mirrored("file").as_deref(), Some(NEW), "{fault:?}");
    }
}

#[test]
fn pieces_that_come_backwards_and_overlap_are_put_together() {
    let world = World::new();
    assert_eq!(world.run(&[("folder/file", Fault::Scrambled, 1)]).outcome, Outcome::Succeeded);
    assert_eq!(world.mirrored("file").as_deref(), Some(NEW));
}

#[test]
#[should_panic(expected = "planned and never reached")]
fn a_fault_that_was_never_reached_fails_the_test() {
    World::new().run(&[("folder/absent", Fault::DataMissing, 1)]);
}
