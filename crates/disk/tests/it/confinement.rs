//! Nothing outside the root is read, written, followed or deleted, whatever was planted in the mirror.

use crate::ground::*;
use octo_core::{Code, Done, Kind, LinkTarget, LinkType, Listed, Target};
use octo_disk::LocalSource;
use std::os::unix::fs::symlink;

fn posix(text: &str) -> LinkTarget {
    LinkTarget { kind: LinkType::Posix, data: text.as_bytes().to_vec() }
}

#[test]
fn a_naive_open_follows_a_planted_link_and_the_target_does_not() {
    let yard = yard();
    symlink(yard.outside.join("canary"), yard.root.join("file")).unwrap();
    assert_eq!(
        std::fs::read_to_string(yard.root.join("file")).unwrap(),
        CANARY,
        "the test plants a link that leads out"
    );

    let before = yard.outside_state();
    let target = &yard.target;
    assert_eq!(code(target.open_file(&p("file"))), Code::TargetMoved);
    assert_eq!(code(target.create_file(&p("file"))), Code::TargetMoved);
    assert_eq!(target.look(&p("file")).unwrap().unwrap().kind, Kind::Link);
    assert_eq!(target.make_folder(&p("file")).unwrap(), Done::Exists);
    assert_eq!(target.make_link(&p("file"), &posix("x"), MOMENT).unwrap(), Done::Exists);
    target.set_times(&p("file"), MOMENT, None).unwrap();
    assert_eq!(target.look(&p("file")).unwrap().unwrap().write_time, MOMENT, "the link itself got the time");
    assert_eq!(code(target.sync_folder(&p("file"))), Code::TargetMoved);
    assert_eq!(target.hard_link(&p("file"), &p("second")).unwrap(), Done::Yes);
    assert_eq!(
        target.look(&p("second")).unwrap().unwrap().kind,
        Kind::Link,
        "the link was linked, not what it points to"
    );
    assert_eq!(target.remove_file(&p("second")).unwrap(), Done::Yes);

    write_file(target, "new", b"new");
    assert_eq!(target.rename_over(&p("new"), &p("file")).unwrap(), Done::Yes);
    assert_eq!(target.look(&p("file")).unwrap().unwrap().kind, Kind::File, "the link was replaced, not followed");
    assert_eq!(yard.outside_state(), before);
}

#[test]
fn a_parent_that_is_a_link_stops_every_operation() {
    let yard = yard();
    let target = &yard.target;
    write_file(target, "inside", b"inside");
    symlink(&yard.outside, yard.root.join("folder")).unwrap();
    assert_eq!(std::fs::read_to_string(yard.root.join("folder/canary")).unwrap(), CANARY);
    std::fs::write(yard.root.join("folder/naive"), "went out").unwrap();
    assert!(yard.outside.join("naive").exists(), "a naive write through the planted folder goes outside");
    std::fs::remove_file(yard.outside.join("naive")).unwrap();

    let before = yard.outside_state();
    let (canary, new, inside) = (p("folder/canary"), p("folder/new"), p("inside"));
    let mut kept = Kept::default();
    let listed = target.list(&p("folder"), &mut kept);
    assert!(matches!(listed, Listed::Incomplete(error) if error.code == Code::TargetMoved) && kept.entries.is_empty());
    let codes = [
        code(target.look(&canary)),
        code(target.make_folder(&new)),
        code(target.create_file(&new)),
        code(target.open_file(&canary)),
        code(target.make_link(&new, &posix("x"), MOMENT)),
        code(target.make_link(&new, &LinkTarget { kind: LinkType::Windows(1), data: vec![] }, MOMENT)),
        code(target.read_link(&canary)),
        code(target.hard_link(&canary, &p("stolen"))),
        code(target.hard_link(&inside, &new)),
        code(target.rename_over(&canary, &p("stolen"))),
        code(target.rename_over(&inside, &canary)),
        code(target.rename_new(&canary, &p("stolen"))),
        code(target.rename_new(&inside, &new)),
        code(target.remove_file(&canary)),
        code(target.remove_folder(&new)),
        code(target.set_times(&canary, MOMENT, None)),
        code(target.sync_folder(&p("folder/deeper"))),
    ];
    assert_eq!(codes, [Code::TargetMoved; 17]);
    assert_eq!(code(target.remove_folder(&p("folder"))), Code::TargetMoved, "a link is not a folder");
    assert_eq!(target.read_link(&p("folder")).unwrap().unwrap().data, yard.outside.as_os_str().as_encoded_bytes());
    assert_eq!(target.remove_file(&p("folder")).unwrap(), Done::Yes);
    assert_eq!(yard.outside_state(), before);
}

#[test]
fn a_link_two_folders_up_is_not_followed_either() {
    let yard = yard();
    std::fs::create_dir(yard.outside.join("sub")).unwrap();
    symlink(&yard.outside, yard.root.join("a")).unwrap();
    let before = yard.outside_state();
    assert_eq!(code(yard.target.create_file(&p("a/sub/new"))), Code::TargetMoved);
    assert_eq!(code(yard.target.make_folder(&p("a/sub/new"))), Code::TargetMoved);
    assert_eq!(yard.outside_state(), before);
}

#[test]
fn a_link_that_stays_inside_is_not_followed_either() {
    let yard = yard();
    yard.target.make_folder(&p("real")).unwrap();
    symlink("real", yard.root.join("alias")).unwrap();
    assert_eq!(code(yard.target.create_file(&p("alias/new"))), Code::TargetMoved);
    assert!(list_target(&yard.target, "real").entries.is_empty());
}

#[test]
fn links_in_place_of_the_reserved_folder_and_its_files_are_refused() {
    let yard = yard();
    symlink(&yard.outside, yard.root.join(".octobackup")).unwrap();
    let before = yard.outside_state();
    let target = open_again(&yard);
    assert_eq!(target, Code::TargetFailed, "a target whose reserved folder leads elsewhere is not opened");
    assert_eq!(code(yard.target.lock().map(|_| ())), Code::TargetMoved);
    assert_eq!(code(yard.target.record_name(&p("x"), b"y")), Code::TargetMoved);
    assert_eq!(yard.outside_state(), before);

    std::fs::remove_file(yard.root.join(".octobackup")).unwrap();
    std::fs::create_dir_all(yard.root.join(".octobackup/meta")).unwrap();
    symlink(yard.outside.join("canary"), yard.root.join(".octobackup/lock")).unwrap();
    symlink(yard.outside.join("canary"), yard.root.join(".octobackup/meta/meta.db")).unwrap();
    assert_eq!(code(yard.target.lock().map(|_| ())), Code::TargetMoved);
    assert_eq!(code(yard.target.record_name(&p("x"), b"y")), Code::TargetMoved);
    assert_eq!(yard.outside_state(), before);
}

fn open_again(yard: &Yard) -> Code {
    code(octo_disk::DiskTarget::open(&yard.root, octo_disk::DiskOptions { create: true, ..Default::default() }))
}

#[test]
fn a_link_in_place_of_the_databases_log_is_not_written_through() {
    let yard = yard();
    std::fs::create_dir_all(yard.root.join(".octobackup/meta")).unwrap();
    for file in ["meta.db-wal", "meta.db-journal", "meta.db-shm"] {
        symlink(yard.outside.join("canary"), yard.root.join(".octobackup/meta").join(file)).unwrap();
    }
    let before = yard.outside_state();
    // It may refuse or do without; it must not follow.
    let _ = yard.target.record_name(&p("x"), b"y");
    let _ = yard.target.checkpoint();
    assert_eq!(yard.outside_state(), before);
}

#[test]
fn a_pipe_or_device_in_the_mirror_is_neither_opened_nor_waited_for() {
    let yard = yard();
    run("coreutils", "mkfifo", &[yard.root.join("pipe").to_str().unwrap()]);
    run("coreutils", "mknod", &[yard.root.join("zero").to_str().unwrap(), "c", "1", "5"]);
    assert_eq!(code(yard.target.open_file(&p("pipe"))), Code::TargetMoved);
    assert_eq!(code(yard.target.open_file(&p("zero"))), Code::TargetMoved);
    let kept = list_target(&yard.target, "");
    assert!(kept.entries.values().all(|meta| meta.kind == Kind::Other) && kept.entries.len() == 2);
}

#[test]
fn a_source_does_not_follow_links_below_its_root() {
    let yard = yard();
    symlink(&yard.outside, yard.root.join("folder")).unwrap();
    symlink(yard.outside.join("canary"), yard.root.join("file")).unwrap();
    let source = LocalSource::open(&yard.root).unwrap();
    let (kept, listed) = list_source(&source, "folder");
    assert!(matches!(listed, Listed::Incomplete(error) if error.code == Code::KindMoved) && kept.entries.is_empty());
    for path in ["file", "folder/canary"] {
        assert_eq!(crate::fetch::one(&source, path).unwrap_err().code, Code::KindMoved, "{path}");
    }
}
