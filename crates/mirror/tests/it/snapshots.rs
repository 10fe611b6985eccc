//! Files that cannot be read as they are now: read from a snapshot, or named with the age of the copy that stays.

use octo_core::monitor::Silent;
use octo_core::{
    Cancel, Code, Error, FetchRequest, FetchSink, ListSink, Listed, Outcome, RelPath, RunReport, Source,
    SourceFeatures, SourcePin, Timestamp,
};
use octo_disk::{DiskOptions, DiskTarget};
use octo_mirror::RunOptions;
use octo_testkit::clock::TestClock;
use octo_testkit::memory::{MemSource, MemTree};
use octo_testkit::recording::Recorded;
use octo_testkit::source_faults::{Fault, FaultySource};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// The run's clock.
const NOW: i64 = 1_700_000_000;

fn day(days_ago: i64) -> Timestamp {
    Timestamp::from_unix(NOW - days_ago * 86_400, 0)
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

/// A tree in memory with the file `db`, and its mirror on the disk.
struct World {
    tree: MemTree,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        World { tree: MemTree::new().file("other", b"other", day(9)), folder: tempfile::tempdir().unwrap() }
    }

    fn write(&self, content: &str, days_ago: i64) {
        self.tree.write(&path("db"), content.as_bytes(), day(days_ago));
    }

    fn target(&self) -> DiskTarget {
        DiskTarget::open(self.folder.path(), DiskOptions::default()).unwrap()
    }

    fn run_from(&self, source: &dyn Source) -> RunReport {
        let clock = TestClock::at(Timestamp::from_unix(NOW, 0));
        octo_mirror::run(source, &self.target(), &RunOptions::default(), &Silent, &clock, &Cancel::new()).report
    }

    fn run(&self) -> RunReport {
        self.run_from(&MemSource::new(&self.tree))
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("db")
    }

    /// Content and last write time of the copy.
    fn copy(&self) -> Option<(String, Timestamp)> {
        let meta = fs::metadata(self.place()).ok()?;
        let time = Timestamp::from_unix(meta.mtime(), u32::try_from(meta.mtime_nsec()).unwrap());
        Some((fs::read_to_string(self.place()).unwrap(), time))
    }

    #[track_caller]
    fn assert_copy(&self, content: &str, days_ago: i64) {
        assert_eq!(self.copy(), Some((content.to_owned(), day(days_ago))));
    }
}

/// The one cause of a report that is no success in silence, and what it says of the file.
#[track_caller]
fn told(report: &RunReport) -> (Outcome, Code, &str) {
    assert_eq!(report.causes.len(), 1, "{report:#?}");
    let problem = &report.causes[0].examples[0];
    assert_eq!(problem.path, path("db"));
    (report.outcome, problem.code, &problem.detail)
}

#[test]
fn a_locked_file_is_read_from_the_newest_snapshot_until_it_can_be_read_itself() {
    let world = World::new();
    world.write("first", 8);
    world.run();
    for (content, days_ago) in [("old", 6), ("newest", 3)] {
        world.write(content, days_ago);
        world.tree.take_snapshot(day(days_ago - 1));
    }
    world.write("as it is now", 1);
    world.tree.lock(&path("db"), true);
    let report = world.run();
    let said = "as it was at 2023-11-12 22:13:20 UTC; copied";
    assert_eq!(told(&report), (Outcome::Succeeded, Code::FromSnapshot, said), "{report:#?}");
    assert_eq!((report.counts.replaced, report.counts.problems), (1, 0));
    world.assert_copy("newest", 3);
    let version = world.folder.path().join(".octobackup/versions/2/tree/db");
    assert_eq!(fs::read_to_string(version).unwrap(), "first", "what it replaced is kept");

    let source = Recorded::new(MemSource::new(&world.tree));
    let report = world.run_from(&source);
    let said = said.replace("copied", "the mirror has it already");
    assert_eq!(told(&report), (Outcome::Succeeded, Code::FromSnapshot, said.as_str()), "{report:#?}");
    assert_eq!((report.counts.replaced, source.calls().bytes), (0, 0), "nothing is read twice");

    world.tree.lock(&path("db"), false);
    let report = world.run();
    assert_eq!((report.outcome, report.counts.replaced, report.causes.len()), (Outcome::Succeeded, 1, 0));
    world.assert_copy("as it is now", 1);
}

#[test]
fn a_new_file_comes_from_the_newest_snapshot_that_has_it() {
    let world = World::new();
    world.write("new", 4);
    world.tree.take_snapshot(day(3));
    world.tree.remove(&path("db"));
    world.tree.take_snapshot(day(2));
    world.tree.make_folder(&path("db"), day(2));
    world.tree.take_snapshot(day(1));
    world.tree.remove(&path("db"));
    world.write("new again", 0);
    world.tree.lock(&path("db"), true);
    let report = world.run();
    let said = "as it was at 2023-11-11 22:13:20 UTC; copied";
    assert_eq!(told(&report), (Outcome::Succeeded, Code::FromSnapshot, said), "{report:#?}");
    world.assert_copy("new", 4);
}

#[test]
fn a_file_that_is_written_to_all_the_time_is_whole_in_a_snapshot() {
    for fault in [Fault::TimeMoves, Fault::DataMissing, Fault::AnnouncesMore] {
        let world = World::new();
        world.write("whole", 2);
        world.tree.take_snapshot(day(1));
        world.write("never whole", 0);
        let source = FaultySource::new(MemSource::new(&world.tree)).with(path("db"), fault.clone(), u64::MAX);
        let report = world.run_from(&source);
        let told = told(&report);
        assert_eq!((told.0, told.1), (Outcome::Succeeded, Code::FromSnapshot), "{fault:?}: {report:#?}");
        world.assert_copy("whole", 2);
    }
}

#[test]
fn a_snapshot_never_replaces_a_newer_copy() {
    for (content, days_ago) in [("older", 5), ("same time, longer", 3)] {
        let world = World::new();
        world.write(content, days_ago);
        world.tree.take_snapshot(day(2));
        world.write("the copy", 3);
        world.run();
        world.write("as it is now", 0);
        world.tree.lock(&path("db"), true);
        let report = world.run();
        let said = "locked by the test; the previous version of 2023-11-12 22:13:20 UTC is older than the copy; the \
                    copy in the mirror is from 2023-11-11 22:13:20 UTC";
        assert_eq!(told(&report), (Outcome::Warnings, Code::Locked, said), "{content}: {report:#?}");
        world.assert_copy("the copy", 3);
    }
}

#[test]
fn a_file_that_no_snapshot_has_is_named_with_the_age_of_its_copy() {
    let world = World::new();
    world.tree.lock(&path("db"), true);
    world.write("as it is now", 0);
    let said = "locked by the test; there is no copy of it yet";
    assert_eq!(told(&world.run()), (Outcome::Warnings, Code::Locked, said));
    world.tree.take_snapshot(day(9));
    // The one that has it is the sixth: asking on and on for thousands of files would take a night.
    world.tree.remove(&path("db"));
    (1..6).for_each(|days_ago| world.tree.take_snapshot(day(days_ago)));
    world.write("as it is now", 0);
    let said = "locked by the test; the newest previous versions do not have it; there is no copy of it yet";
    assert_eq!(told(&world.run()), (Outcome::Warnings, Code::Locked, said));

    let world = World::new();
    world.write("the copy", 3);
    world.run();
    world.write("as it is now", 0);
    for (code, words) in [(Code::Locked, "planned"), (Code::AccessDenied, "planned"), (Code::SourceEntry, "planned")] {
        let source = FaultySource::new(MemSource::new(&world.tree)).with(path("db"), Fault::Fails(code), u64::MAX);
        let said = format!("{words}; the copy in the mirror is from 2023-11-11 22:13:20 UTC");
        assert_eq!(told(&world.run_from(&source)), (Outcome::Warnings, code, said.as_str()));
    }
    world.assert_copy("the copy", 3);
}

#[test]
fn a_copy_from_an_old_snapshot_is_better_than_none_and_no_success() {
    let world = World::new();
    world.write("old", 9);
    world.tree.take_snapshot(day(8));
    world.write("as it is now", 0);
    world.tree.lock(&path("db"), true);
    for how in ["copied", "the mirror has it already"] {
        let report = world.run();
        let said = "locked by the test; the newest previous version is more than a week old: 2023-11-06 22:13:20 UTC";
        let said = format!("{said}; {how}");
        assert_eq!(told(&report), (Outcome::Warnings, Code::Locked, said.as_str()), "{report:#?}");
        world.assert_copy("old", 9);
    }
}

/// A source whose snapshots cannot be listed. Given a wish to stop, it is wished after the first fetch.
struct Mute(MemSource, Option<Cancel>);

impl Source for Mute {
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
        self.1.iter().for_each(Cancel::cancel);
    }
    fn snapshots(&self) -> Result<Vec<Timestamp>, Error> {
        assert!(self.1.is_none(), "nobody wants them any more");
        Err(Error::new(Code::TimedOut, "planned"))
    }
}

#[test]
fn a_source_that_cannot_tell_its_snapshots_is_remarked_on_once_and_the_run_goes_on() {
    let world = World::new();
    world.write("as it is now", 0);
    world.tree.write(&path("db2"), b"another", day(0));
    world.tree.lock(&path("db"), true);
    world.tree.lock(&path("db2"), true);
    let report = world.run_from(&Mute(MemSource::new(&world.tree), None));
    assert_eq!((report.outcome, report.counts.problems, report.counts.created), (Outcome::Warnings, 2, 1));
    let remarks: Vec<_> = report.remarks.iter().filter(|remark| remark.contains("previous versions")).collect();
    assert_eq!(remarks.len(), 1, "{remarks:?}");
}

#[test]
fn a_run_that_is_over_asks_for_no_snapshots() {
    let world = World::new();
    world.write("as it is now", 0);
    world.tree.lock(&path("db"), true);
    let cancel = Cancel::new();
    let source = Mute(MemSource::new(&world.tree), Some(cancel.clone()));
    let clock = TestClock::at(Timestamp::from_unix(NOW, 0));
    let report = octo_mirror::run(&source, &world.target(), &RunOptions::default(), &Silent, &clock, &cancel).report;
    assert_eq!(report.outcome, Outcome::Cancelled, "{report:#?}");
}

/// The power went before the copy was on the disk: its size and time are right and its content is not.
fn crash(world: &World) {
    let time = fs::metadata(world.place()).unwrap().modified().unwrap();
    fs::write(world.place(), [0; 7]).unwrap();
    fs::File::options().write(true).open(world.place()).unwrap().set_modified(time).unwrap();
    let open = "run = 1\nboot_id = \"a boot that ended suddenly\"\nlast_checkpoint = 0\n";
    fs::write(world.folder.path().join(".octobackup/run.open"), open).unwrap();
}

#[test]
fn a_copy_that_may_not_be_whole_is_made_anew_from_a_snapshot_of_the_same_time_and_size() {
    let world = World::new();
    world.write("content", 2);
    world.tree.take_snapshot(day(1));
    world.run();
    crash(&world);
    world.tree.lock(&path("db"), true);
    let report = world.run();
    let told = told(&report);
    assert_eq!((told.0, told.1, report.counts.replaced), (Outcome::Succeeded, Code::FromSnapshot, 2), "{report:#?}");
    world.assert_copy("content", 2);
}

#[test]
fn a_copy_that_may_not_be_whole_is_not_forgotten_when_it_cannot_be_made_anew() {
    for days_ago in [2, NOW / 86_400] {
        let world = World::new();
        world.tree.write(&path("db"), b"content", Timestamp(day(days_ago).0 / 864_000_000_000 * 864_000_000_000));
        world.run();
        crash(&world);
        world.tree.lock(&path("db"), true);
        let report = world.run();
        let said = "locked by the test; the copy in the mirror may not be whole, because the machine crashed after it \
                    was written";
        assert_eq!(told(&report), (Outcome::Warnings, Code::Locked, said), "{report:#?}");
        world.tree.lock(&path("db"), false);
        let report = world.run();
        assert_eq!((report.outcome, report.counts.replaced), (Outcome::Succeeded, 1), "{report:#?}");
        assert_eq!(world.copy().unwrap().0, "content");
    }
}

#[test]
fn a_dry_run_tells_of_a_run_that_did_not_end_and_of_what_a_crash_made_doubtful() {
    let world = World::new();
    world.write("content", 2);
    world.run();
    crash(&world);
    let clock = TestClock::at(Timestamp::from_unix(NOW, 0));
    let options = RunOptions { dry_run: true, ..RunOptions::default() };
    let source = MemSource::new(&world.tree);
    let report = octo_mirror::run(&source, &world.target(), &options, &Silent, &clock, &Cancel::new()).report;
    assert!(
        report.remarks.iter().any(|remark| remark.starts_with("another run (state 1) is under way, or did not end")),
        "{report:#?}"
    );
    assert!(report.remarks.iter().any(|remark| remark.contains("are copied again")), "{report:#?}");
    assert_eq!(report.counts.replaced, 2, "what is doubtful would be copied: {report:#?}");
    assert!(world.folder.path().join(".octobackup/run.open").exists());
}

/// A mirror on a medium that cannot be written any more.
struct ReadOnly(tempfile::TempDir);

impl ReadOnly {
    fn of(mirror: &std::path::Path) -> ReadOnly {
        let medium = ReadOnly(tempfile::tempdir().unwrap());
        let mount = |args: &[&std::ffi::OsStr]| {
            let status = std::process::Command::new("mount").args(args).arg(medium.0.path()).status();
            assert!(status.unwrap().success(), "mount {args:?}");
        };
        mount(&["--bind".as_ref(), mirror.as_os_str()]);
        mount(&["-o".as_ref(), "remount,bind,ro".as_ref()]);
        medium
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_dry_run_works_on_a_mirror_that_cannot_be_written_its_recorded_links_included() {
    let world = World::new();
    world.write("content", 2);
    // Longer than any link on a disk: it is recorded.
    world.tree.make_link(&path("link"), &"x".repeat(5000), day(2));
    assert_eq!(world.run().outcome, Outcome::Succeeded);
    assert!(world.folder.path().join(".octobackup/meta/meta.db").exists());
    world.write("changed", 1);
    let medium = ReadOnly::of(world.folder.path());
    let target = DiskTarget::open(medium.0.path(), DiskOptions::default()).unwrap();
    let clock = TestClock::at(Timestamp::from_unix(NOW, 0));
    let options = RunOptions { dry_run: true, ..RunOptions::default() };
    let source = MemSource::new(&world.tree);
    let report = octo_mirror::run(&source, &target, &options, &Silent, &clock, &Cancel::new()).report;
    let did = (report.outcome, report.counts.replaced, report.counts.unchanged, report.counts.links);
    assert_eq!(did, (Outcome::Succeeded, 1, 1, 0), "{report:#?}");
}
