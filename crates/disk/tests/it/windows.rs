//! What is particular to Windows. Under Wine it runs on a Linux filesystem: Wine denies nothing and has no reparse points of
//! its own, so neither rights nor links can be tried here.

use crate::ground::*;
use octo_core::{Code, Done, Kind, Target, Timestamp};
use octo_disk::{DiskOptions, DiskTarget, LocalSource};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::windows::fs::OpenOptionsExt;
use std::process::Stdio;

/// Tells a child process which mirror to lock.
const LOCK: &str = "OCTO_LOCK";

fn content(yard: &Yard, path: &str) -> Vec<u8> {
    std::fs::read(yard.root.join(path)).unwrap()
}

#[test]
fn a_staged_file_is_renamed_while_it_is_open() {
    let yard = yard();
    write_file(&yard.target, "place", b"old");
    let stage = yard.target.create_file(&p("stage")).unwrap();
    stage.write_at(0, b"new").unwrap();
    assert_eq!(yard.target.rename_over(&p("stage"), &p("place")).unwrap(), Done::Yes);
    stage.set_times(MOMENT, None).unwrap();
    drop(stage);
    assert_eq!(content(&yard, "place"), b"new");
    assert_eq!(yard.target.look(&p("place")).unwrap().unwrap().write_time, MOMENT);
    assert_eq!(yard.target.look(&p("stage")).unwrap(), None);
}

#[test]
fn what_is_read_only_is_replaced_and_removed() {
    let yard = yard();
    for name in ["replaced", "removed"] {
        write_file(&yard.target, name, b"old");
        let mut permissions = yard.root.join(name).metadata().unwrap().permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(yard.root.join(name), permissions).unwrap();
    }
    write_file(&yard.target, "stage", b"new");
    assert_eq!(yard.target.hard_link(&p("removed"), &p("version")).unwrap(), Done::Yes);
    assert_eq!(yard.target.rename_over(&p("stage"), &p("replaced")).unwrap(), Done::Yes);
    assert_eq!(yard.target.remove_file(&p("removed")).unwrap(), Done::Yes);
    assert_eq!((content(&yard, "replaced"), content(&yard, "version")), (b"new".to_vec(), b"old".to_vec()));
    assert!(yard.root.join("version").metadata().unwrap().permissions().readonly(), "its other name stays as it was");
}

#[test]
fn a_file_in_use_stays_as_it_is_when_it_cannot_be_replaced() {
    let yard = yard();
    write_file(&yard.target, "place", b"old");
    write_file(&yard.target, "stage", b"new");
    let held = std::fs::OpenOptions::new().read(true).share_mode(0).open(yard.root.join("place")).unwrap();
    assert!(yard.target.rename_over(&p("stage"), &p("place")).is_err());
    drop(held);
    assert_eq!((content(&yard, "place"), content(&yard, "stage")), (b"old".to_vec(), b"new".to_vec()));
}

#[test]
fn a_file_of_the_source_in_use_is_locked_and_not_denied() {
    let temp = temp();
    std::fs::write(temp.path().join("file"), "x").unwrap();
    let source = LocalSource::open(temp.path()).unwrap();
    let _held = std::fs::OpenOptions::new().read(true).share_mode(0).open(temp.path().join("file")).unwrap();
    assert_eq!(code(crate::fetch::one(&source, "file")), Code::Locked);
}

#[test]
fn one_name_in_two_cases_is_one_entry_that_can_be_renamed() {
    let yard = yard();
    write_file(&yard.target, "Name", b"x");
    assert!(yard.target.look(&p("nAME")).unwrap().is_some());
    assert_eq!(yard.target.rename_over(&p("Name"), &p("nAME")).unwrap(), Done::Yes);
    // Wine does nothing, and says that it did; Windows renames it. Neither may lose it.
    let names = list_target(&yard.target, "").names();
    assert!(names == ["nAME"] || names == ["Name"], "{names:?}");
    assert_eq!(content(&yard, "name"), b"x");
    assert!(yard.target.abilities().names.folds_case);
}

#[test]
fn names_that_would_lead_elsewhere_are_refused() {
    let yard = yard();
    let before = yard.outside_state();
    yard.target.make_folder(&p("folder")).unwrap();
    for name in [r"..\outside\canary", r"folder\x", "file:stream", "C:", r"\\server\share", "a?b", "a*b", "a<b"] {
        let path = octo_core::RelPath::root().join(&octo_core::Name::new(name.as_bytes()).unwrap());
        assert!(yard.target.create_file(&path).is_err(), "{name}");
        assert!(yard.target.make_folder(&path).is_err(), "{name}");
        assert!(
            yard.target.remove_file(&path).is_err() || yard.target.look(&path).is_ok_and(|it| it.is_none()),
            "{name}"
        );
    }
    assert_eq!(yard.outside_state(), before);
    assert_eq!(list_target(&yard.target, "").names(), ["folder"]);
}

#[test]
fn ids_stay_when_names_change_and_names_are_counted() {
    let yard = yard();
    write_file(&yard.target, "a", b"a");
    let id = yard.target.look(&p("a")).unwrap().unwrap().id.unwrap();
    assert!(id.is_usable());
    assert_eq!(yard.target.rename_new(&p("a"), &p("b")).unwrap(), Done::Yes);
    assert_eq!(yard.target.hard_link(&p("b"), &p("c")).unwrap(), Done::Yes);
    let (look, listed) = (yard.target.look(&p("c")).unwrap().unwrap(), list_target(&yard.target, ""));
    assert_eq!((look.id, look.links), (Some(id), 2));
    assert_eq!(listed.entries[&b"b"[..]].id, Some(id));
    // Two names of one file: nothing happens, and neither is lost.
    assert_eq!(yard.target.rename_over(&p("b"), &p("c")).unwrap(), Done::Yes);
    assert_eq!(list_target(&yard.target, "").names(), ["b", "c"]);
}

#[test]
fn a_folder_gets_no_second_name_and_a_taken_name_is_told_first() {
    let yard = yard();
    yard.target.make_folder(&p("folder")).unwrap();
    assert_eq!(yard.target.hard_link(&p("folder"), &p("folder")).unwrap(), Done::Exists);
    assert!(yard.target.hard_link(&p("folder"), &p("other")).is_err());
    assert_eq!(list_target(&yard.target, "").names(), ["folder"]);
}

#[test]
fn paths_longer_than_260_characters_work() {
    let yard = yard();
    let mut path = String::new();
    for n in 0..12 {
        path.push_str(&format!("{}{}", if n == 0 { "" } else { "/" }, "n".repeat(60)));
        assert_eq!(yard.target.make_folder(&p(&path)).unwrap(), Done::Yes);
    }
    write_file(&yard.target, &format!("{path}/file"), b"deep");
    assert_eq!(list_target(&yard.target, &path).names(), ["file"]);
    let source = LocalSource::open(&yard.root).unwrap();
    assert_eq!(crate::fetch::one(&source, &format!("{path}/file")).unwrap().2, b"deep");
}

#[test]
fn probing_leaves_nothing_behind_and_knows_windows() {
    let yard = yard();
    let abilities = yard.target.abilities();
    assert!(abilities.hard_links && abilities.rename_noreplace && !abilities.whole_sync && !abilities.symlinks);
    assert_eq!(abilities.times.granularity_ticks, 1);
    assert!(list_target(&yard.target, "").entries.is_empty());
    assert!(yard.target.space().unwrap().total_bytes > 0);
    yard.target.scratch().unwrap().write_at(1 << 20, b"spilled").unwrap();
    make_reserved(&yard.target);
    yard.target.scratch().unwrap().write_at(1 << 20, b"spilled").unwrap();
    assert!(list_target(&yard.target, ".octobackup/tmp").entries.is_empty());
}

#[test]
fn a_target_that_does_not_exist_is_empty_in_a_dry_run_and_made_otherwise() {
    let temp = temp();
    let path = temp.path().join("not/yet");
    let dry = DiskTarget::open(&path, DiskOptions::default()).unwrap();
    assert!(list_target(&dry, "").entries.is_empty());
    assert_eq!((dry.look(&p("")).unwrap(), dry.make_folder(&p("a")).unwrap()), (None, Done::Missing));
    assert!(!temp.path().join("not").exists());
    assert_eq!(open(&path).look(&p("")).unwrap().unwrap().kind, Kind::Folder);
}

#[test]
fn a_lock_held_by_another_process_is_respected_until_it_dies() {
    let yard = yard();
    let held = yard.target.lock().unwrap();
    assert_eq!(code(yard.target.lock().map(|_| ())), Code::TargetBusy, "nor twice in one process");
    assert!(std::fs::remove_file(yard.root.join(".octobackup/lock")).is_err(), "nobody takes it away meanwhile");
    drop(held);
    let mut other = octo_testkit::child::test("windows::child_with_the_lock")
        .env(LOCK, &yard.root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("it is locked")));
    assert_eq!(code(yard.target.lock().map(|_| ())), Code::TargetBusy);
    other.kill().unwrap();
    other.wait().unwrap();
    yard.target.lock().unwrap();
}

/// Not a promise of its own: what the child process of the test above does.
#[test]
#[ignore = "started by other tests, in a process of its own"]
fn child_with_the_lock() {
    let root = octo_testkit::child::order(LOCK);
    let _held = open(root.as_ref()).lock().unwrap();
    let mut out = std::io::stdout();
    out.write_all(b"it is locked\n").and_then(|()| out.flush()).unwrap();
    let _ = std::io::stdin().read(&mut [0]);
}

#[test]
fn a_source_raises_the_backup_privilege_and_has_nothing_to_say() {
    use octo_core::Source;
    let source = LocalSource::open(temp().path()).unwrap();
    assert_eq!(source.remarks(), Vec::<String>::new());
    let pin = source.pin().unwrap();
    assert!(pin.path.starts_with("C:") || pin.path.starts_with("Z:"), "{pin}");
    assert_eq!(source.features().listings_in_flight, 4);
    let file = open(temp().path());
    file.create_file(&p("x")).unwrap().set_times(Timestamp(1), None).unwrap();
}
