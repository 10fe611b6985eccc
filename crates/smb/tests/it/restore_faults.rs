//! Restores to a share whose server dies, whose disk is full, or that were killed themselves: no half file is ever seen under its
//! name, and the same restore goes on.

use crate::fixture::*;
use crate::restore::{restore_as, restore_watched, samba};
use octo_core::monitor::Silent;
use octo_core::restore_target::Placing;
use octo_core::{Cancel, Code, Event, Metadata, Monitor, Outcome, RestoreTarget};
use octo_disk::{DiskOptions, DiskTarget, LocalSource};
use octo_mirror::RunOptions;
use octo_mirror::restore::Existing;
use octo_smb::{SmbOptions, SmbRestore};
use octo_testkit::clock::TestClock;
use octo_testkit::samba::SambaOptions;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

/// Small files, and some that take many messages.
fn contents() -> BTreeMap<String, Vec<u8>> {
    let size = |number: usize| if number.is_multiple_of(50) { 2_500_000 } else { 100 + number };
    let content = |number: usize| (0..size(number)).map(|at| (at / 3 + number) as u8).collect();
    (0..200).map(|number| (format!("{}f{number:03}", ["", "a/", "a/b/"][number % 3]), content(number))).collect()
}

/// A mirror that holds them, made from a folder.
fn mirror(folder: &Path) -> PathBuf {
    let (from, mirror) = (folder.join("from"), folder.join("mirror"));
    for (name, content) in contents() {
        fs::create_dir_all(from.join(&name).parent().unwrap()).unwrap();
        fs::write(from.join(name), content).unwrap();
    }
    let source = LocalSource::open(&from).unwrap();
    let target = DiskTarget::open(&mirror, DiskOptions { create: true, ..DiskOptions::default() }).unwrap();
    let run = octo_mirror::run(&source, &target, &RunOptions::default(), &Silent, &TestClock::real(), &Cancel::new());
    assert_eq!(run.report.outcome, Outcome::Succeeded, "{:#?}", run.report);
    mirror
}

/// The files below a folder; what is staged apart.
fn files(folder: &Path) -> (BTreeMap<String, Vec<u8>>, usize) {
    fn fill(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                fill(root, &path, found);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    fill(folder, folder, &mut found);
    let all = found.len();
    found.retain(|name, _| !name.split('/').any(|part| part.starts_with(".octobackup-restore-")));
    let staged = all - found.len();
    (found, staged)
}

fn assert_whole(folder: &Path) -> usize {
    let (wanted, (there, _)) = (contents(), files(folder));
    for (name, content) in &there {
        assert!(wanted.get(name) == Some(content), "{name} is not whole: {} bytes", content.len());
    }
    there.len()
}

/// Says when the first file has its name, and when files begin to be written.
struct Signal(Mutex<Option<Sender<()>>>, bool);

impl Monitor for Signal {
    fn event(&self, event: &Event<'_>) {
        let is_time = match event {
            Event::Change(_) => !self.1,
            Event::Progress { listed_all, .. } => self.1 && *listed_all,
            _ => false,
        };
        if is_time && let Some(sender) = self.0.lock().unwrap().take() {
            sender.send(()).unwrap();
        }
    }
}

#[test]
fn a_server_that_dies_in_the_middle_and_comes_back_is_restored_to() {
    let folder = tempfile::tempdir().unwrap();
    let mirror = mirror(folder.path());
    for while_writing in [true, false] {
        let mut samba = samba(SambaOptions::new());
        let (to, share) = (address(&samba, "empty"), samba.share_path("empty"));
        let (sender, first) = channel();
        let told = Signal(Mutex::new(Some(sender)), while_writing);
        let report = std::thread::scope(|scope| {
            let restored = scope.spawn(|| restore_watched((&to, "plain"), &mirror, Existing::default(), &told));
            first.recv_timeout(WAIT_MAX).unwrap();
            samba.kill();
            assert_whole(&share);
            samba.start_again();
            restored.join().unwrap().unwrap()
        });
        assert_eq!(report.counts.problems, 0, "{report:#?}");
        assert_eq!(report.counts.created, 200, "{report:#?}");
        assert_eq!(files(&share), (contents(), 0));
    }
}

#[test]
fn what_a_killed_restore_left_is_removed_and_the_restore_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (mirror, samba) = (mirror(folder.path()), samba(SambaOptions::new()));
    let share = samba.share_path("empty");
    let report = restore_as(&samba, ("plain", "empty"), &mirror, Existing::default()).unwrap();
    assert_eq!((report.counts.created, report.counts.problems), (200, 0), "{report:#?}");
    for name in ["f000", "f003", "a/b/f005"] {
        fs::remove_file(share.join(name)).unwrap();
    }
    // Its staging folder has the same name each time.
    let seen = Staging(&share, Mutex::default());
    let report = restore_watched((&address(&samba, "empty"), "plain"), &mirror, Existing::default(), &seen).unwrap();
    assert_eq!(report.counts.created, 3, "{report:#?}");
    let staging = seen.1.into_inner().unwrap().expect("files are staged");
    samba.client("empty", &format!("mkdir {staging}"));
    for name in ["1", "2", "7"] {
        fs::write(folder.path().join("half"), b"half").unwrap();
        let put = format!("put {} {staging}/{name}", folder.path().join("half").display());
        samba.client("empty", &format!("{put}; setmode {staging}/{name} +r"));
    }
    // More than are removed between two listings.
    for number in 0..4200 {
        fs::write(share.join(format!("{staging}/{number:04}-left")), b"").unwrap();
    }
    fs::remove_file(share.join("f003")).unwrap();
    let report = restore_as(&samba, ("restoreop", "empty"), &mirror, Existing::default()).unwrap();
    assert_eq!((report.counts.created, report.counts.problems), (1, 0), "{report:#?}");
    assert_eq!(files(&share), (contents(), 0));
}

#[test]
fn a_file_whose_rename_is_refused_can_be_discarded() {
    let samba = samba(SambaOptions::new());
    let share = samba.share_path("empty");
    fs::write(share.join("taken"), "theirs").unwrap();
    let target =
        SmbRestore::connect(&address(&samba, "empty"), &credentials("plain"), &SmbOptions::default(), false).unwrap();
    target.begin_staging(&path("staging")).unwrap();
    let source = connect(&samba, "empty", "plain");
    let meta = list_all(&source, "").entries.into_iter().find(|entry| entry.name.to_string() == "taken").unwrap().meta;
    let mut batch = target.batch();
    batch.create(0, &path("staging/1"), &meta).unwrap();
    batch.write_at(0, 0, b"ours!!").unwrap();
    batch.finish(vec![(0, meta, Metadata::default())]).remove(0).unwrap();
    let placing = Placing { stage: path("staging/1"), place: path("taken"), replaces: None };
    let error = batch.place(&[(0, placing)]).remove(0).unwrap_err();
    assert_eq!(error.code, Code::TargetMoved, "{error}");
    assert!(share.join("staging/1").exists());
    batch.discard(0);
    assert!(!share.join("staging/1").exists());
    assert_eq!(fs::read(share.join("taken")).unwrap(), b"theirs");
}

/// Sees the name of the staging folder.
struct Staging<'a>(&'a Path, Mutex<Option<String>>);

impl Monitor for Staging<'_> {
    fn event(&self, _: &Event<'_>) {
        let names = fs::read_dir(self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        if let Some(name) = names.into_iter().find(|name| name.starts_with(".octobackup-restore-")) {
            *self.1.lock().unwrap() = Some(name);
        }
    }
}

/// A small filesystem, until it is dropped.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path, size: &str) -> Small {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", size, "none"]).arg(at).status().unwrap();
        assert!(mounted.success());
        Small(at.to_path_buf())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_share_is_refused_before_and_said_in_the_middle() {
    let folder = tempfile::tempdir().unwrap();
    let mirror = mirror(folder.path());
    let samba = samba(SambaOptions::new().share("small", "small", &["vfs objects ="]));
    let share = samba.share_path("small");
    {
        let _small = Small::mount(&share, "size=4m,mode=0777");
        let error = restore_as(&samba, ("plain", "small"), &mirror, Existing::default()).unwrap_err();
        assert_eq!(error.code, Code::NoSpace, "{error}");
        assert!(error.detail.contains("nothing was changed"), "{error}");
        assert_eq!(files(&share), (BTreeMap::new(), 0));
    }
    let _small = Small::mount(&share, "size=24m,mode=0777");
    let (filler, to) = (share.join("filler"), address(&samba, "small"));
    let error = restore_watched((&to, "plain"), &mirror, Existing::default(), &Filler(&filler)).unwrap_err();
    assert_eq!(error.code, Code::NoSpace, "{error}");
    fs::remove_file(&filler).unwrap();
    let (there, staged) = files(&share);
    assert_eq!((assert_whole(&share), staged), (there.len(), 0), "nothing of ours is left");
    let report = restore_as(&samba, ("plain", "small"), &mirror, Existing::default()).unwrap();
    assert_eq!(report.counts.problems, 0, "{report:#?}");
    assert_eq!(files(&share), (contents(), 0));
}

/// Fills the disk but for a mebibyte as files begin to be written.
struct Filler<'a>(&'a Path);

impl Monitor for Filler<'_> {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Progress { listed_all: true, .. }) && !self.0.exists() {
            fs::write(self.0, vec![1; 23 << 20]).unwrap();
        }
    }
}
