//! What is in a mirror already gets the permissions of new entries; a folder of somebody else becomes no mirror.

use crate::ground::*;
use octo_core::{Code, Target};
use octo_disk::{DiskOptions, DiskTarget, Modes};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn open_as(path: &Path, modes: Modes) -> DiskTarget {
    DiskTarget::open(path, DiskOptions { create: true, modes, repair: true, plain: false }).unwrap()
}

#[test]
fn what_is_listed_in_a_locked_mirror_gets_its_permissions_back_and_nothing_else_does() {
    own_mounts();
    let yard = yard();
    let at = |path: &str| yard.root.join(path);
    drop(yard.target.lock().unwrap());
    for folder in ["folder", "bound", "mounted"] {
        yard.target.make_folder(&p(folder)).unwrap();
    }
    write_file(&yard.target, "file", b"x");
    write_file(&yard.target, "fine", b"x");
    fs::hard_link(at("file"), at("folder/second")).unwrap();
    symlink(yard.outside.join("canary"), at("link")).unwrap();
    let _bound = mount(&["--bind", yard.outside.to_str().unwrap()], &at("bound"));
    let _mounted = mount(&["-t", "tmpfs", "-o", "mode=755", "none"], &at("mounted"));
    for loose in [&yard.root, &at(".octobackup"), &at("folder"), &yard.outside] {
        chmod(loose, 0o755);
    }
    chmod(&at("file"), 0o4644);
    chmod(&yard.outside.join("canary"), 0o644);
    let written = at("file").metadata().unwrap().modified().unwrap();

    // Whoever only looks changes nothing, and neither does a run that holds no lock.
    list_target(&yard.target, "");
    let run = open_as(&yard.root, Modes::default());
    list_target(&run, "");
    assert_eq!((mode(&at("file")), mode(&yard.root)), (0o4644, 0o755));
    assert_eq!(run.remarks(), ["2 entries of the mirror had looser permissions than 0600/0700: would be repaired"]);

    let run = open_as(&yard.root, Modes::default());
    let _lock = run.lock().unwrap();
    assert_eq!((mode(&yard.root), mode(&at(".octobackup"))), (0o700, 0o700));
    let before = list_target(&run, "").entries;
    list_target(&run, "folder");
    assert_eq!((mode(&at("file")), mode(&at("folder")), mode(&at("fine"))), (0o600, 0o700, 0o600));
    assert_eq!(at("file").metadata().unwrap().modified().unwrap(), written);
    assert_eq!((mode(&yard.outside), mode(&yard.outside.join("canary")), mode(&at("mounted"))), (0o755, 0o644, 0o755));
    assert_eq!(run.remarks(), ["4 entries of the mirror had looser permissions than 0600/0700: repaired"]);
    assert_eq!(list_target(&run, "").entries[&b"file"[..]].write_time, before[&b"file"[..]].write_time);
}

#[test]
fn what_belongs_to_others_is_told_and_a_planted_link_changes_nothing_outside() {
    let yard = yard();
    let at = |path: &str| yard.root.join(path);
    drop(yard.target.lock().unwrap());
    for name in ["theirs", "closed", "fine"] {
        write_file(&yard.target, name, b"x");
    }
    yard.target.make_folder(&p("their folder")).unwrap();
    for name in ["theirs", "closed", "their folder"] {
        chown(at(name), Some(4321), Some(4321)).unwrap();
    }
    let canary = yard.outside.join("canary");
    chown(&canary, Some(4321), Some(4321)).unwrap();
    chmod(&canary, 0o644);
    chmod(&at("theirs"), 0o644);
    fs::hard_link(&canary, at("planted")).unwrap();

    for locked in [false, true] {
        let run = open_as(&yard.root, Modes::default());
        let _lock = locked.then(|| run.lock().unwrap());
        let listed = list_target(&run, "");
        let told: Vec<_> = listed.problems.iter().map(ToString::to_string).collect();
        assert_eq!(listed.entries.len(), 6, "all are listed all the same");
        assert!(listed.problems.iter().all(|problem| problem.code == Code::TargetDenied), "{told:?}");
        let count = |words: &str| told.iter().filter(|told| told.contains(words)).count();
        assert_eq!(
            (count("belongs to 4321, and the mirror to root"), count("another name"), told.len()),
            (3, 1, 4),
            "{told:?}"
        );
        assert_eq!(mode(&canary), 0o644, "it is not ours to change");
        assert_eq!(mode(&at("theirs")), if locked { 0o600 } else { 0o644 }, "strangers are kept out at least");
    }
    // Whoever only looks has nothing to say of it.
    assert!(list_target(&yard.target, "").problems.is_empty());
}

#[test]
fn what_cannot_be_changed_is_told() {
    let yard = yard();
    drop(yard.target.lock().unwrap());
    write_file(&yard.target, "file", b"x");
    let file = yard.root.join("file");
    chmod(&file, 0o644);
    let chattr = |flag: &str| {
        std::process::Command::new("chattr").arg(flag).arg(&file).status().is_ok_and(|status| status.success())
    };
    assert!(chattr("+i"), "the filesystem of the temporary folder must have the attribute");
    let run = open_as(&yard.root, Modes::default());
    let _lock = run.lock().unwrap();
    let listed = list_target(&run, "");
    assert!(chattr("-i"));
    assert_eq!(listed.problems.len(), 1);
    assert!(listed.problems[0].to_string().contains("cannot be changed to 0600"), "{:?}", listed.problems);
}

#[test]
fn other_permissions_than_before_are_those_of_what_is_there_too() {
    let yard = yard();
    drop(yard.target.lock().unwrap());
    yard.target.make_folder(&p("folder")).unwrap();
    write_file(&yard.target, "folder/file", b"x");
    let run = open_as(&yard.root, Modes { file: 0o640, folder: 0o750 });
    let _lock = run.lock().unwrap();
    list_target(&run, "");
    list_target(&run, "folder");
    let modes = ["", "folder", "folder/file", ".octobackup"].map(|path| mode(&yard.root.join(path)));
    assert_eq!(modes, [0o750, 0o750, 0o640, 0o700]);
    assert_eq!(run.remarks(), ["3 entries of the mirror had other permissions than 0640/0750: they were set"]);
}

#[test]
fn a_folder_of_another_account_becomes_a_mirror_only_if_it_is_empty() {
    let temp = temp();
    let folder = |name: &str, owner: u32, bits: u32| {
        let path = temp.path().join(name);
        fs::create_dir(&path).unwrap();
        chown(&path, Some(owner), Some(owner)).unwrap();
        chmod(&path, bits);
        path
    };
    let empty = folder("empty", 4321, 0o777);
    let _lock = open(&empty).lock().unwrap();
    let meta = empty.metadata().unwrap();
    assert_eq!((meta.uid(), meta.gid(), mode(&empty)), (0, 0, 0o700));

    let full = folder("full", 4321, 0o755);
    fs::write(full.join("theirs"), "theirs").unwrap();
    let refused = open(&full).lock().map(|_| ()).unwrap_err();
    assert_eq!(refused.code, Code::OtherOwner);
    assert!(refused.to_string().contains("chown -R"), "{refused}");
    assert_eq!((full.metadata().unwrap().uid(), mode(&full), full.join(".octobackup").exists()), (4321, 0o755, false));

    let shared = folder("shared", 0, 0o1777);
    fs::write(shared.join("of somebody"), "").unwrap();
    assert_eq!(code(open(&shared).lock().map(|_| ())), Code::OtherOwner);
    assert_eq!((mode(&shared), fs::read_dir(&shared).unwrap().count()), (0o1777, 1));

    // The top of a fresh tmpfs looks the same, and is closed before anything is put there.
    let fresh = folder("fresh", 0, 0o1777);
    drop(open(&fresh).lock().unwrap());
    assert_eq!(mode(&fresh), 0o700);
}
