//! Real filesystems on loop devices: one that folds case and has no hard links, one that is small.

use crate::pair::{Pair, tree};
use octo_core::{Code, FilterBuilder, Outcome, RunReport};
use octo_mirror::RunOptions;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted filesystem; unmounted and gone when dropped.
pub struct Mounted {
    folder: tempfile::TempDir,
    device: String,
}

impl Mounted {
    fn new(mkfs: &[&str], mount: &[&str], size_mib: u64) -> Mounted {
        let folder = tempfile::tempdir().unwrap();
        let (image, place) = (folder.path().join("image"), folder.path().join("mounted"));
        fs::File::create(&image).unwrap().set_len(size_mib << 20).unwrap();
        fs::create_dir(&place).unwrap();
        command(Command::new(mkfs[0]).args(&mkfs[1..]).arg(&image));
        let device = command(Command::new("losetup").args(["--find", "--show"]).arg(&image));
        let mounted = Mounted { folder, device };
        command(Command::new(mount[0]).args(&mount[1..]).arg(&mounted.device).arg(&place));
        mounted
    }

    /// Small, with hard links and everything.
    pub fn ext4(size_mib: u64) -> Mounted {
        Mounted::new(&["mkfs.ext4", "-q"], &["mount"], size_mib)
    }

    /// Folds case, knows neither hard links nor links, forbids some characters.
    fn exfat() -> Mounted {
        Mounted::new(&["mkfs.exfat"], &["mount.exfat-fuse"], 64)
    }

    /// In memory, with limits such as `size=16m` or `nr_inodes=200`.
    pub fn tmpfs(limits: &str) -> Mounted {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("mounted")).unwrap();
        let mounted = Mounted { folder, device: String::new() };
        command(Command::new("mount").args(["-t", "tmpfs", "-o", limits, "none"]).arg(mounted.place()));
        mounted
    }

    pub fn place(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.place()).output();
        if !self.device.is_empty() {
            let _ = Command::new("losetup").arg("--detach").arg(&self.device).output();
        }
    }
}

fn command(command: &mut Command) -> String {
    let output =
        command.output().unwrap_or_else(|e| panic!("{command:?}: {e}; `cargo xtask apt` installs what is needed"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn exfat_keeps_every_name_and_every_state() {
    let mounted = Mounted::exfat();
    let mut pair = Pair::new();
    pair.target = mounted.place();
    for name in ["README", "readme", "Readme", "a:b", "what?", "plain", "end.", "folder/x", "Folder/y", "100%", "NUL"] {
        pair.write(name, name.as_bytes(), 1_000_000_001);
    }
    let first = pair.run(&RunOptions::default());
    assert_eq!((first.outcome, first.counts.created), (Outcome::Succeeded, 11), "{first:#?}");
    assert!(!first.remarks.is_empty(), "lost features are named");
    let second = pair.run(&RunOptions::default());
    assert_eq!((second.counts.unchanged, second.counts.replaced, second.counts.deleted), (11, 0, 0), "{second:#?}");
    let mut contents: Vec<_> =
        tree(&pair.target).into_values().filter(|n| n.kind == "file").map(|n| n.content).collect();
    contents.sort();
    let mut expected: Vec<_> =
        tree(&pair.source).into_values().filter(|n| n.kind == "file").map(|n| n.content).collect();
    expected.sort();
    assert_eq!(contents, expected);

    pair.write("plain", b"changed without hard links", 1_000_000_111);
    fs::remove_file(pair.source.join("what?")).unwrap();
    let third = pair.run(&RunOptions::default());
    assert_eq!((third.outcome, third.counts.replaced, third.counts.deleted), (Outcome::Succeeded, 1, 1), "{third:#?}");
    assert_eq!(fs::read(pair.target.join(".octobackup/versions/3/tree/plain")).unwrap(), b"plain");
    assert_eq!(fs::read(pair.target.join("plain")).unwrap(), b"changed without hard links");
}

/// FUSE gives a removed file that somebody holds open another name beside it, as NFS does.
#[test]
fn a_run_ends_although_what_it_removes_comes_back_under_another_name() {
    let mounted = Mounted::exfat();
    let mut pair = Pair::new();
    pair.target = mounted.place();
    pair.write("file", b"content", 1_000_000);
    assert_eq!(pair.run(&RunOptions::default()).outcome, Outcome::Succeeded);
    let left = pair.target.join(".octobackup/tmp/99");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("part"), "left by an interrupted run").unwrap();
    let held_open = fs::File::open(left.join("part")).unwrap();
    let report = pair.run(&RunOptions::default());
    assert!(report.causes.iter().any(|cause| cause.code == Code::TargetEntry), "{report:#?}");
    drop(held_open);
    assert_eq!(pair.run(&RunOptions::default()).outcome, Outcome::Succeeded);
}

#[test]
fn on_exfat_a_new_case_is_a_rename() {
    let mounted = Mounted::exfat();
    let mut pair = Pair::new();
    pair.target = mounted.place();
    pair.write("Folder/File With Case", b"x", 1_000_000_000);
    pair.run(&RunOptions::default());
    fs::rename(pair.source.join("Folder/File With Case"), pair.source.join("Folder/FILE with case")).unwrap();
    let report = pair.run(&RunOptions::default());
    let did = (report.outcome, report.counts.moved, report.counts.created, report.counts.deleted);
    assert_eq!(did, (Outcome::Succeeded, 1, 0, 0), "{report:#?}");
    let names: Vec<_> = tree(&pair.target).into_keys().collect();
    assert_eq!(names, [PathBuf::from("Folder"), PathBuf::from("Folder/FILE with case")]);
    // The driver refuses to change the case of a folder while the old one is in a cache: nothing may be lost by that.
    fs::rename(pair.source.join("Folder"), pair.source.join("FOLDER")).unwrap();
    pair.write("FOLDER/new", b"new", 1_000_000_000);
    pair.run(&RunOptions::default());
    assert_eq!(fs::read(pair.target.join("folder/new")).unwrap(), b"new");
    assert_eq!(fs::read(pair.target.join("folder/file with case")).unwrap(), b"x");
}

/// Real folders, in which two names that differ only in case are one.
#[test]
fn on_exfat_who_has_a_name_keeps_it_and_nobody_comes_into_what_is_excluded() {
    let mounted = Mounted::exfat();
    let mut pair = Pair::new();
    pair.target = mounted.place();
    pair.write("report/one", b"lower", 1_000_000_000);
    pair.write("left/one", b"left", 1_000_000_000);
    pair.run(&RunOptions::default());
    pair.write("REPORT/one", b"upper", 1_000_000_000);
    let second = pair.run(&RunOptions::default());
    let did =
        |report: &RunReport| (report.outcome, report.counts.created, report.counts.replaced, report.counts.deleted);
    assert_eq!(did(&second), (Outcome::Succeeded, 1, 0, 0), "{second:#?}");
    let apart = "%52%45%50%4F%52%54.~octo";
    assert_eq!(fs::read(pair.target.join("report/one")).unwrap(), b"lower");
    assert_eq!(fs::read(pair.target.join(apart).join("one")).unwrap(), b"upper");
    // Nothing is copied again or deleted because the other one is gone.
    fs::remove_dir_all(pair.source.join("report")).unwrap();
    let third = pair.run(&RunOptions::default());
    assert_eq!(did(&third), (Outcome::Succeeded, 0, 0, 1), "{third:#?}");
    let fourth = pair.run(&RunOptions::default());
    assert_eq!(did(&fourth), (Outcome::Succeeded, 0, 0, 0), "{fourth:#?}");
    assert_eq!(fs::read(pair.target.join(apart).join("one")).unwrap(), b"upper");
    assert!(!pair.target.join("report").exists());

    let filter = FilterBuilder::new().exclude("left").unwrap().build().unwrap();
    pair.write("LEFT/two", b"other", 1_000_000_000);
    let fifth = pair.run(&RunOptions { filter, ..RunOptions::default() });
    assert_eq!(did(&fifth), (Outcome::Succeeded, 1, 0, 0), "{fifth:#?}");
    let names = |folder: &str| tree(&pair.target.join(folder)).into_keys().collect::<Vec<_>>();
    assert_eq!((names("left"), names("%4C%45%46%54.~octo")), (vec!["one".into()], vec!["two".into()]));
}

#[test]
fn lost_and_found_of_the_source_is_mirrored_beside_that_of_the_targets_own_filesystem() {
    let mounted = Mounted::ext4(32);
    let mut pair = Pair::new();
    pair.target = mounted.place();
    let own = || fs::metadata(pair.target.join("lost+found")).unwrap().ino();
    let before = own();
    let copy = pair.target.join("lost+found.~octo");
    pair.write("lost+found/#12", b"recovered", 1_000_000);
    pair.write("stays", b"stays", 1_000_000);
    let first = pair.run(&RunOptions::default());
    assert_eq!(
        (first.outcome, first.counts.created),
        (Outcome::Succeeded, 2),
        "an empty disk needs no --adopt: {first:#?}"
    );
    pair.write("lost+found/#12", b"changed", 2_000_000);
    let second = pair.run(&RunOptions::default());
    let did = (second.outcome, second.counts.created, second.counts.replaced, second.counts.unchanged);
    assert_eq!(did, (Outcome::Succeeded, 0, 1, 1), "{second:#?}");
    assert_eq!(fs::read(copy.join("#12")).unwrap(), b"changed");
    fs::remove_dir_all(pair.source.join("lost+found")).unwrap();
    let third = pair.run(&RunOptions::default());
    assert_eq!((third.outcome, third.counts.deleted), (Outcome::Succeeded, 1), "{third:#?}");
    assert!(!copy.exists() && own() == before, "the filesystem's own stays");
    assert_eq!(fs::read_dir(pair.target.join("lost+found")).unwrap().count(), 0);
}

#[test]
fn a_full_disk_fails_the_run_and_loses_nothing() {
    // So that it is known which files came before the disk was full.
    let one_by_one = RunOptions { workers: Some(1), ..RunOptions::default() };
    let mounted = Mounted::ext4(64);
    let mut pair = Pair::new();
    pair.target = mounted.place();
    pair.write("old", b"old", 1_000_000);
    pair.write("gone", b"gone", 1_000_000);
    assert_eq!(pair.run(&one_by_one).outcome, Outcome::Succeeded);
    for i in 0..40 {
        pair.write(&format!("big/{i:02}"), &vec![i; 3 << 20], 1_000_000);
    }
    // Only now: a new file with its id would be looked at as a possible move, and come last.
    fs::remove_file(pair.source.join("gone")).unwrap();
    let full = pair.run(&one_by_one);
    assert_eq!(
        (full.outcome, full.causes[0].code, full.counts.deleted),
        (Outcome::Failed, Code::NoSpace, 0),
        "{full:#?}"
    );
    assert!(pair.target.join("gone").exists(), "a full disk deletes nothing");
    let source = tree(&pair.source);
    for (path, node) in tree(&pair.target) {
        if node.kind == "file" && path != Path::new("gone") {
            assert_eq!(Some(&node.content), source.get(&path).map(|n| &n.content), "{path:?} is whole");
        }
    }
    (8..40).for_each(|i| fs::remove_file(pair.source.join(format!("big/{i:02}"))).unwrap());
    let freed = pair.run(&RunOptions {
        max_delete: Some(octo_core::guard::MaxDelete::Percent(100)),
        keep_versions: octo_core::retention::KeepVersions::No,
        ..one_by_one
    });
    assert_eq!(freed.outcome, Outcome::Succeeded, "the next run finishes the work: {freed:#?}");
    pair.assert_equal();
}

#[test]
fn times_that_ext4_cannot_hold_are_recorded_and_compared() {
    let mounted = Mounted::ext4(64);
    let source = InMemory::new();
    let mut pair = Pair::new();
    (pair.source, pair.target) = (source.0.path().to_owned(), mounted.place());
    // 1601 with FILETIME 0, the ends of what ext4 knows, 2500, and one that it can hold.
    let times = [-11_644_473_600i64, -2_147_483_649, -2_147_483_648, 15_032_385_535, 15_032_385_536, 16_725_225_600, 5];
    let write = |n: usize, content: &str, secs: i64| {
        fs::write(pair.source.join(format!("f{n}")), content).unwrap();
        command(Command::new("touch").args(["-d", &format!("@{secs}.5")]).arg(pair.source.join(format!("f{n}"))));
    };
    for (n, secs) in times.into_iter().enumerate() {
        write(n, "old", secs);
    }
    let noted = |report: &octo_core::RunReport| {
        report.causes.iter().find(|cause| cause.code == Code::TimeRecorded).map_or(0, |cause| cause.count)
    };
    let first = pair.run(&RunOptions::default());
    assert_eq!((first.outcome, first.counts.created, noted(&first) >= 4), (Outcome::Succeeded, 7, true), "{first:#?}");
    let second = pair.run(&RunOptions::default());
    assert_eq!((second.counts.unchanged, second.counts.metadata_refreshed), (7, 0), "{second:#?}");
    // The same size, and another time that ext4 cannot hold either.
    write(0, "new", -11_644_473_500);
    write(5, "new", 19_880_899_200);
    let third = pair.run(&RunOptions::default());
    assert_eq!((third.counts.unchanged, third.counts.replaced), (5, 2), "{third:#?}");
    assert_eq!(fs::read(pair.target.join("f5")).unwrap(), b"new");
    fs::rename(pair.source.join("f5"), pair.source.join("moved")).unwrap();
    let fourth = pair.run(&RunOptions::default());
    assert_eq!((fourth.counts.unchanged, fourth.counts.moved, fourth.counts.created), (6, 1, 0), "{fourth:#?}");
    let last = pair.run(&RunOptions::default());
    assert_eq!((last.counts.unchanged, noted(&last)), (7, noted(&first)), "{last:#?}");
}

/// A filesystem in memory, which holds every time.
struct InMemory(tempfile::TempDir);

impl InMemory {
    fn new() -> InMemory {
        let folder = tempfile::tempdir().unwrap();
        command(Command::new("mount").args(["-t", "tmpfs", "none"]).arg(folder.path()));
        InMemory(folder)
    }
}

impl Drop for InMemory {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).output();
    }
}
