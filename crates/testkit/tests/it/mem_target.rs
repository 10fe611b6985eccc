//! The store in memory does what the store on a real disk does, and loses with the power what a disk would lose.

use octo_core::{
    Abilities, Code, Done, Error, Kind, LinkTarget, LinkType, NameRules, RelPath, Target, TargetFile, TimeRules,
    Timestamp,
};
use octo_disk::{DiskOptions, DiskTarget};
use octo_testkit::clock::TestClock;
use octo_testkit::memory::{MemTarget, PowerLoss};
use octo_testkit::source_suite::path;
use octo_testkit::tree::{assert_same_tree, read_file, read_tree, target_tree};
use proptest::prelude::*;
use std::sync::Arc;

#[derive(Debug, Clone)]
enum Op {
    MakeFolder(RelPath),
    CreateFile(RelPath, u8),
    Overwrite(RelPath, u8),
    MakeLink(RelPath, bool, u8),
    HardLink(RelPath, RelPath),
    RenameOver(RelPath, RelPath),
    RenameNew(RelPath, RelPath),
    RemoveFile(RelPath),
    RemoveFolder(RelPath),
    SetTimes(RelPath, i64),
    RecordName(RelPath, u8),
    Checkpoint,
    SyncFolder(RelPath),
}

const WINDOWS_LINK: LinkType = LinkType::Windows(0xA000_000C);

fn apply(target: &dyn Target, op: &Op) -> Result<Done, Error> {
    let content = |file: &dyn TargetFile, content: u8| {
        file.set_len(0)?;
        file.write_at(2, &[content; 3])?;
        file.set_times(Timestamp(0), None)
    };
    match op {
        Op::MakeFolder(path) => target.make_folder(path),
        Op::CreateFile(path, byte) => content(&*target.create_file(path)?, *byte).map(|()| Done::Yes),
        Op::Overwrite(path, byte) => match target.open_file(path)? {
            None => Ok(Done::Missing),
            Some(file) => content(&*file, *byte).map(|()| Done::Yes),
        },
        Op::MakeLink(path, recorded, data) => {
            let kind = if *recorded { WINDOWS_LINK } else { LinkType::Posix };
            target.make_link(path, &LinkTarget { kind, data: vec![b'a' + data % 26] }, Timestamp(5))
        }
        Op::HardLink(from, to) => target.hard_link(from, to),
        Op::RenameOver(from, to) => target.rename_over(from, to),
        Op::RenameNew(from, to) => target.rename_new(from, to),
        Op::RemoveFile(path) => target.remove_file(path),
        Op::RemoveFolder(path) => target.remove_folder(path),
        Op::SetTimes(path, time) => target.set_times(path, Timestamp(*time), None).map(|()| Done::Yes),
        // For files and folders: the full name of a link that is itself only recorded stays behind on the disk.
        Op::RecordName(path, byte) => match target.look(path)?.map(|meta| meta.kind) {
            Some(Kind::File | Kind::Folder) => target.record_name(path, &[*byte]).map(|()| Done::Yes),
            _ => Ok(Done::Missing),
        },
        Op::Checkpoint => target.checkpoint().map(|()| Done::Yes),
        Op::SyncFolder(path) => target.sync_folder(path).map(|()| Done::Yes),
    }
}

fn any_path() -> impl Strategy<Value = RelPath> {
    let name = prop_oneof![Just("a"), Just("b"), Just("a!"), Just("ab")];
    proptest::collection::vec(name, 1..4).prop_map(|names| path(&names.join("/")))
}

fn any_op() -> impl Strategy<Value = Op> {
    let one = any_path;
    let two = || (any_path(), any_path());
    prop_oneof![
        4 => one().prop_map(Op::MakeFolder),
        3 => (one(), any::<u8>()).prop_map(|(path, byte)| Op::CreateFile(path, byte)),
        1 => (one(), any::<u8>()).prop_map(|(path, byte)| Op::Overwrite(path, byte)),
        2 => (one(), any::<bool>(), any::<u8>()).prop_map(|(path, tag, data)| Op::MakeLink(path, tag, data)),
        2 => two().prop_map(|(from, to)| Op::HardLink(from, to)),
        3 => two().prop_map(|(from, to)| Op::RenameOver(from, to)),
        3 => two().prop_map(|(from, to)| Op::RenameNew(from, to)),
        2 => one().prop_map(Op::RemoveFile),
        2 => one().prop_map(Op::RemoveFolder),
        1 => (one(), -9_999_999i64..9_999_999).prop_map(|(path, time)| Op::SetTimes(path, time)),
        1 => (one(), any::<u8>()).prop_map(|(path, byte)| Op::RecordName(path, byte)),
        1 => Just(Op::Checkpoint),
        1 => one().prop_map(Op::SyncFolder),
    ]
}

/// The tree without the times of folders, which move by themselves, and the number of names of each file.
fn shape(target: &dyn Target) -> Vec<(RelPath, String, u32, Option<Vec<u8>>)> {
    let tree = target_tree(target, &RelPath::root());
    let line = |(path, mut node): (RelPath, octo_testkit::tree::Node)| {
        let is_folder = node.kind == Kind::Folder;
        if is_folder {
            node.write_time = Timestamp(0);
        }
        let links = if is_folder { 1 } else { target.look(&path).unwrap().unwrap().links };
        let name = target.recorded_name(&path).unwrap();
        (path, format!("{node:?}"), links, name)
    };
    tree.into_iter().map(line).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_sequence_of_primitives_does_what_the_real_disk_does(ops in proptest::collection::vec(any_op(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let disk = DiskTarget::open(folder.path(), DiskOptions::default()).unwrap();
        let memory = target();
        for op in &ops {
            let (is, should_be) = (apply(&memory, op), apply(&disk, op));
            prop_assert_eq!(is.map_err(|e| e.code), should_be.map_err(|e| e.code), "{:?}", op);
        }
        prop_assert_eq!(shape(&memory), shape(&disk));
    }
}

fn target() -> MemTarget {
    MemTarget::new(Arc::new(TestClock::real()))
}

fn create(target: &MemTarget, at: &str, content: &[u8]) -> Box<dyn TargetFile> {
    let file = target.create_file(&path(at)).unwrap();
    file.write_at(0, content).unwrap();
    file.set_times(Timestamp(7), None).unwrap();
    file
}

fn names(target: &MemTarget) -> Vec<String> {
    target_tree(target, &RelPath::root()).keys().map(RelPath::to_text).collect()
}

#[test]
fn a_power_loss_forgets_what_was_neither_checkpointed_nor_synced() {
    let target = target();
    create(&target, "kept", b"kept");
    target.make_folder(&path("folder")).unwrap();
    target.checkpoint().unwrap();
    target.rename_new(&path("kept"), &path("renamed")).unwrap();
    create(&target, "new", b"new").sync().unwrap();
    let open = create(&target, "folder/synced", b"synced");
    open.sync().unwrap();
    create(&target, "folder/only its name", b"lost");
    target.sync_folder(&path("folder")).unwrap();
    let boot_id = target.boot_id();
    target.power_loss(PowerLoss::Forgets);
    assert_ne!(target.boot_id(), boot_id);
    assert_eq!(names(&target), ["folder", "folder/only its name", "folder/synced", "kept"]);
    assert_eq!(read_file(&target, &path("folder/synced")), b"synced");
    assert_eq!(read_file(&target, &path("folder/only its name")), b"");
    assert_eq!(open.write_at(0, b"x").unwrap_err().code, Code::TargetFailed);
}

#[test]
fn a_rename_is_durable_in_both_folders_or_in_neither() {
    for (synced, expected) in [("from", ["from", "to", "to/file"]), ("to", ["from", "to", "to/file"])] {
        let target = target();
        target.make_folder(&path("from")).unwrap();
        target.make_folder(&path("to")).unwrap();
        create(&target, "from/file", b"content");
        target.checkpoint().unwrap();
        target.rename_new(&path("from/file"), &path("to/file")).unwrap();
        target.sync_folder(&path(synced)).unwrap();
        target.power_loss(PowerLoss::Forgets);
        assert_eq!(names(&target), expected, "{synced} was synced");
        assert_eq!(read_file(&target, &path("to/file")), b"content");
    }
}

#[test]
fn a_folder_that_was_synced_is_found_again_however_new_the_way_to_it_is() {
    let target = target();
    create(&target, "deep", b"was here");
    target.make_folder(&path("old")).unwrap();
    target.checkpoint().unwrap();
    target.rename_new(&path("deep"), &path("old/deep")).unwrap();
    for folder in ["deep", "deep/er", "deep/er/still", "beside"] {
        target.make_folder(&path(folder)).unwrap();
    }
    target.sync_folder(&path("deep/er")).unwrap();
    target.power_loss(PowerLoss::Forgets);
    // The name had to be free for it, so what had it before is where it went to.
    assert_eq!(names(&target), ["beside", "deep", "deep/er", "deep/er/still", "old", "old/deep"]);
    assert_eq!(read_file(&target, &path("old/deep")), b"was here");
    target.make_folder(&path("deep/er/still/more")).unwrap();
    target.make_folder(&path("deep/er/other")).unwrap();
    target.sync_folder(&path("deep/er/still/more")).unwrap();
    target.power_loss(PowerLoss::Forgets);
    assert!(target.look(&path("deep/er/still/more")).unwrap().is_some());
    assert!(target.look(&path("deep/er/other")).unwrap().is_none(), "nobody synced its name");
}

#[test]
fn a_power_loss_that_leaves_zeros_keeps_names_sizes_and_times() {
    let target = target();
    create(&target, "old", b"old").write_at(3, b" and more").unwrap();
    target.checkpoint().unwrap();
    target.open_file(&path("old")).unwrap().unwrap().write_at(12, b" and yet more").unwrap();
    create(&target, "new", b"new");
    create(&target, "synced", b"synced").sync().unwrap();
    target.hard_link(&path("new"), &path("new too")).unwrap();
    let before = target.look(&path("new")).unwrap().unwrap();
    target.power_loss(PowerLoss::LeavesZeros);
    let after = target.look(&path("new")).unwrap().unwrap();
    assert_eq!((after.size_bytes, after.write_time, after.links), (3, before.write_time, 2));
    assert_eq!(read_file(&target, &path("new too")), [0; 3]);
    assert_eq!(read_file(&target, &path("synced")), b"synced");
    assert_eq!(read_file(&target, &path("old")), [&b"old and more"[..], &[0; 13]].concat());
}

#[test]
fn a_shutdown_in_good_order_loses_nothing_but_the_lock() {
    let target = target();
    let lock = target.lock().unwrap();
    assert_eq!(target.lock().err().map(|e| e.code), Some(Code::TargetBusy));
    create(&target, "file", b"content");
    target.boot();
    let again = target.lock().unwrap();
    // A value from before the start holds nothing any more.
    drop(lock);
    assert!(target.lock().is_err());
    drop(again);
    assert!(target.lock().is_ok());
    assert_eq!(read_file(&target, &path("file")), b"content");
}

#[test]
fn it_is_full_when_its_capacity_is_used_and_has_room_again_when_files_are_gone() {
    let target = MemTarget::with(Abilities::full("small"), 10, Arc::new(TestClock::real()));
    let file = create(&target, "file", b"12345678");
    assert_eq!(target.space().unwrap().free_bytes, 2);
    assert_eq!(file.write_at(7, b"8901").unwrap_err().code, Code::NoSpace);
    file.write_at(0, b"in place").unwrap();
    target.remove_file(&path("file")).unwrap();
    assert_eq!(target.space().unwrap().free_bytes, 2, "an open file still takes its room");
    drop(file);
    assert_eq!(target.space().unwrap().free_bytes, 10);
    let scratch = target.scratch().unwrap();
    assert_eq!(scratch.set_len(11).unwrap_err().code, Code::NoSpace);
}

#[test]
fn a_store_that_folds_case_and_keeps_coarse_times() {
    let names_rules = NameRules { folds_case: true, forbidden: ":".into(), length_max: 20, ..NameRules::POSIX };
    let times = TimeRules { granularity_ticks: 1000, ..TimeRules::EXACT };
    let abilities = Abilities { hard_links: false, names: names_rules, times, ..Abilities::full("odd") };
    let target = MemTarget::with(abilities, u64::MAX, Arc::new(TestClock::real()));
    create(&target, "File", b"1");
    assert_eq!(target.rename_new(&path("file"), &path("FILE")), Ok(Done::Exists));
    assert!(target.create_file(&path("FILE")).is_err());
    assert_eq!(target.rename_over(&path("file"), &path("fILE")), Ok(Done::Yes));
    assert_eq!(names(&target), ["fILE"]);
    target.set_times(&path("FILE"), Timestamp(1999), None).unwrap();
    assert_eq!(target.look(&path("file")).unwrap().unwrap().write_time, Timestamp(1000));
    assert_eq!(target.hard_link(&path("file"), &path("second")).unwrap_err().code, Code::TargetEntry);
    for impossible in ["a:b", "a name that is much too long"] {
        assert_eq!(target.make_folder(&path(impossible)).unwrap_err().code, Code::TargetEntry);
    }
}

#[test]
fn a_real_folder_reads_the_same_by_path_and_as_a_target() {
    let folder = tempfile::tempdir().unwrap();
    let disk = DiskTarget::open(folder.path(), DiskOptions::default()).unwrap();
    for op in [
        Op::MakeFolder(path("folder")),
        Op::CreateFile(path("folder/file"), 9),
        Op::MakeLink(path("folder/link"), false, 3),
    ] {
        apply(&disk, &op).unwrap();
    }
    let tree = read_tree(folder.path());
    assert_eq!(tree.len(), 3);
    assert_same_tree(&tree, &target_tree(&disk, &RelPath::root()), "by path and as a target");
}

#[test]
#[should_panic(expected = "folder/file: is None, should be Some(File \"%00\"")]
fn trees_that_differ_are_told_apart_entry_by_entry() {
    let target = target();
    target.make_folder(&path("folder")).unwrap();
    let before = target_tree(&target, &RelPath::root());
    target.create_file(&path("folder/file")).unwrap().set_len(1).unwrap();
    assert_same_tree(&before, &target_tree(&target, &RelPath::root()), "after");
}
