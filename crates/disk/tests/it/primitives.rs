//! What each primitive promises on an ordinary disk.

use crate::ground::*;
use octo_core::{Code, Done, LinkTarget, LinkType, Listed, Target, Timestamp};
#[cfg(target_os = "linux")]
use {
    octo_core::{FileId, Kind},
    octo_disk::{DiskOptions, DiskTarget, Modes},
    std::os::unix::fs::{MetadataExt, PermissionsExt},
};

#[test]
fn times_are_exact_to_100_ns_on_files_folders_and_links() {
    let yard = yard();
    let target = &yard.target;
    target.make_folder(&p("folder")).unwrap();
    write_file(target, "file", b"");
    target.make_link(&p("link"), &LinkTarget { kind: LinkType::Posix, data: b"to".to_vec() }, MOMENT).unwrap();
    assert_eq!(target.look(&p("link")).unwrap().unwrap().write_time, MOMENT);
    for moment in [MOMENT, Timestamp(-1), Timestamp(1), Timestamp(-12_345_678_901_234_567)] {
        for path in ["folder", "file", "link", ""] {
            target.set_times(&p(path), moment, None).unwrap();
            assert_eq!(target.look(&p(path)).unwrap().unwrap().write_time, moment, "{path}");
        }
        let file = target.open_file(&p("file")).unwrap().unwrap();
        file.set_times(Timestamp(moment.0 + 1), None).unwrap();
        assert_eq!(file.meta().unwrap().write_time, Timestamp(moment.0 + 1));
    }
    assert_eq!(code(target.set_times(&p("missing"), MOMENT, None)), Code::TargetMoved);
}

#[test]
fn zeros_that_take_no_space_are_zeros_wherever_they_come() {
    const BLOCK: usize = 64 << 10;
    let yard = yard();
    write_file(&yard.target, "file", &[7; 4 * BLOCK]);
    let file = yard.target.open_file(&p("file")).unwrap().unwrap();
    file.write_at(BLOCK as u64 - 5, &[0; 2 * BLOCK]).unwrap();
    file.write_at(5 * BLOCK as u64, &[0; BLOCK + 1]).unwrap();
    file.write_at(7 * BLOCK as u64, b"end").unwrap();
    let mut expected = vec![7; 4 * BLOCK];
    expected[BLOCK - 5..3 * BLOCK - 5].fill(0);
    expected.resize(7 * BLOCK, 0);
    expected.extend(b"end");
    assert!(std::fs::read(yard.root.join("file")).unwrap() == expected);
    file.write_at(7 * BLOCK as u64, &vec![0; 2 * BLOCK]).unwrap();
    expected.truncate(7 * BLOCK);
    expected.resize(9 * BLOCK, 0);
    assert!(std::fs::read(yard.root.join("file")).unwrap() == expected, "over the end");
}

#[cfg(target_os = "linux")]
#[test]
fn the_id_of_an_entry_is_its_inode_and_its_links_are_counted() {
    let yard = yard();
    write_file(&yard.target, "a", b"a");
    assert_eq!(yard.target.hard_link(&p("a"), &p("b")).unwrap(), Done::Yes);
    let kept = list_target(&yard.target, "");
    let (a, b) = (kept.entries[&b"a"[..]], kept.entries[&b"b"[..]]);
    assert_eq!((a.links, a.id), (2, b.id));
    let FileId { id, .. } = a.id.unwrap();
    assert_eq!(id, u128::from(yard.root.join("a").metadata().unwrap().ino()));
    assert_eq!(yard.target.open_file(&p("a")).unwrap().unwrap().meta().unwrap(), a);
    assert_eq!(yard.target.look(&p("a")).unwrap(), Some(a));
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_made_is_private_whatever_the_umask_and_the_parent_say() {
    let yard = yard();
    std::fs::set_permissions(&yard.root, PermissionsExt::from_mode(0o2777)).unwrap();
    write_file(&yard.target, "file", b"");
    yard.target.make_folder(&p("folder")).unwrap();
    let mode = |path: &str| yard.root.join(path).metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("file"), mode("folder")), (0o600, 0o700), "no set-group bit is inherited");

    let modes = Modes { file: 0o7664, folder: 0o7077 };
    let open = DiskTarget::open(&yard.root, DiskOptions { create: true, modes, ..DiskOptions::default() }).unwrap();
    write_file(&open, "file2", b"");
    open.make_folder(&p("folder2")).unwrap();
    open.make_folder(&p(".octobackup")).unwrap();
    assert_eq!((mode("file2"), mode("folder2")), (0o664, 0o777), "as told, but nothing set-user");
    assert_eq!(mode(".octobackup"), 0o700);
}

#[test]
fn results_say_what_was_in_the_way() {
    let yard = yard();
    let target = &yard.target;
    let (a, b, folder) = (p("a"), p("b"), p("folder"));
    write_file(target, "a", b"a");
    write_file(target, "b", b"b");
    target.make_folder(&folder).unwrap();
    assert_eq!(target.make_folder(&folder).unwrap(), Done::Exists);
    assert_eq!(target.make_folder(&p("none/folder")).unwrap(), Done::Missing);
    assert_eq!(target.rename_new(&a, &b).unwrap(), Done::Exists);
    assert_eq!(target.rename_new(&p("none"), &b).unwrap(), Done::Missing);
    assert_eq!(target.rename_new(&a, &p("none/a")).unwrap(), Done::Missing);
    assert_eq!(target.rename_over(&a, &p("none/a")).unwrap(), Done::Missing);
    assert_eq!(target.hard_link(&a, &b).unwrap(), Done::Exists);
    assert_eq!(target.hard_link(&a, &p("none/a")).unwrap(), Done::Missing);
    assert_eq!(code(target.rename_over(&a, &folder)), Code::TargetMoved);
    assert_eq!(code(target.remove_file(&folder)), Code::TargetMoved);
    assert_eq!(code(target.remove_folder(&a)), Code::TargetMoved);
    assert_eq!(code(target.create_file(&a)), Code::TargetMoved);
    assert_eq!(code(target.create_file(&p("none/a"))), Code::TargetMoved);
    assert_eq!(code(target.open_file(&folder)), Code::TargetMoved);
    assert!(target.open_file(&p("none")).unwrap().is_none());
    write_file(target, "folder/file", b"");
    assert_eq!(target.remove_folder(&folder).unwrap(), Done::NotEmpty);
    assert_eq!(target.remove_file(&p("folder/file")).unwrap(), Done::Yes);
    assert_eq!(target.remove_folder(&folder).unwrap(), Done::Yes);
    assert_eq!(target.remove_folder(&folder).unwrap(), Done::Missing);
    assert_eq!(target.rename_over(&a, &b).unwrap(), Done::Yes);
    assert_eq!(std::fs::read(yard.root.join("b")).unwrap(), b"a");
    for root in [target.make_folder(&p("")), target.remove_folder(&p("")), target.rename_new(&p(""), &a)] {
        assert!(root.is_err(), "the root itself is not renamed or removed");
    }
    let mut kept = Kept::default();
    let listed = target.list(&p("b"), &mut kept);
    assert!(matches!(listed, Listed::Incomplete(error) if error.code == Code::TargetMoved));
}

#[test]
fn a_file_is_written_and_read_anywhere() {
    let yard = yard();
    let file = yard.target.create_file(&p("file")).unwrap();
    file.write_at(5, b"world").unwrap();
    file.write_at(0, b"hello").unwrap();
    let mut buffer = [0; 20];
    assert_eq!(file.read_at(3, &mut buffer).unwrap(), 7);
    assert_eq!(&buffer[..7], b"loworld");
    assert_eq!(file.read_at(10, &mut buffer).unwrap(), 0);
    file.set_len(2).unwrap();
    file.sync().unwrap();
    assert_eq!(file.meta().unwrap().size_bytes, 2);
    assert!(file.write_at(u64::MAX - 1, b"far").is_err() && file.set_len(u64::MAX).is_err());
    yard.target.sync_folder(&p("")).unwrap();
    yard.target.checkpoint().unwrap();
}

#[test]
fn a_sink_that_wants_no_more_ends_the_listing_as_incomplete() {
    struct Enough;
    impl octo_core::ListSink for Enough {
        fn entry(&mut self, _: octo_core::Entry) -> std::ops::ControlFlow<()> {
            std::ops::ControlFlow::Break(())
        }
        fn problem(&mut self, _: &[u8], _: octo_core::Error) {}
        fn restart(&mut self) {}
    }
    let yard = yard();
    write_file(&yard.target, "a", b"");
    assert!(matches!(yard.target.list(&p(""), &mut Enough), Listed::Incomplete(_)));
}

#[cfg(target_os = "linux")]
#[test]
fn a_target_that_does_not_exist_is_empty_in_a_dry_run_and_made_otherwise() {
    let temp = temp();
    let path = temp.path().join("not/yet");
    let dry = DiskTarget::open(&path, DiskOptions::default()).unwrap();
    assert!(list_target(&dry, "").entries.is_empty());
    assert_eq!(dry.look(&p("")).unwrap(), None);
    assert_eq!(dry.look(&p("a/b")).unwrap(), None);
    assert_eq!(dry.make_folder(&p("a")).unwrap(), Done::Missing);
    assert!(dry.create_file(&p("a")).is_err() && dry.lock().is_err() && dry.record_name(&p("a"), b"").is_err());
    assert!(dry.space().unwrap().total_bytes > 0 && dry.abilities().hard_links);
    dry.scratch().unwrap().write_at(0, b"spilled").unwrap();
    assert!(!temp.path().join("not").exists());

    let real = open(&path);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(real.look(&p("")).unwrap().unwrap().kind, Kind::Folder);
    std::fs::write(temp.path().join("file"), "").unwrap();
    let a_file = DiskTarget::open(&temp.path().join("file"), DiskOptions { create: true, ..Default::default() });
    assert_eq!(code(a_file), Code::TargetFailed);
}

#[cfg(target_os = "linux")]
#[test]
fn a_scratch_file_has_no_name() {
    let yard = yard();
    make_reserved(&yard.target);
    let scratch = yard.target.scratch().unwrap();
    scratch.write_at(1 << 20, b"spilled").unwrap();
    assert_eq!(scratch.meta().unwrap().links, 0);
    assert!(list_target(&yard.target, ".octobackup/tmp").entries.is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn the_boot_id_is_that_of_the_machine() {
    let yard = yard();
    assert_eq!(yard.target.boot_id().len(), 36);
    assert_eq!(yard.target.boot_id(), open(&yard.root).boot_id());
}

#[cfg(target_os = "linux")]
#[test]
fn a_handle_stays_in_the_mirror_when_the_mirror_is_moved() {
    let yard = yard();
    let moved = yard.root.with_file_name("moved");
    std::fs::rename(&yard.root, &moved).unwrap();
    std::os::unix::fs::symlink(&yard.outside, &yard.root).unwrap();
    write_file(&yard.target, "file", b"file");
    assert!(moved.join("file").exists() && !yard.outside.join("file").exists());
}

#[test]
fn several_threads_may_work_at_once() {
    let yard = yard();
    make_reserved(&yard.target);
    let junction = LinkTarget { kind: LinkType::Windows(7), data: vec![] };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (target, junction) = (&yard.target, &junction);
            scope.spawn(move || {
                let folder = p(&format!("folder{}", thread % 2));
                target.make_folder(&folder).unwrap();
                for n in 0..200 {
                    let (stage, place) = (format!(".octobackup/tmp/{thread}-{n}"), format!("{folder}/{thread}-{n}"));
                    write_file(target, &stage, &[thread]);
                    assert_eq!(target.rename_new(&p(&stage), &p(&place)).unwrap(), Done::Yes);
                    let link = p(&format!("{folder}/link{n}"));
                    assert!(matches!(target.make_link(&link, junction, MOMENT).unwrap(), Done::Yes | Done::Exists));
                }
                target.checkpoint().unwrap();
            });
        }
    });
    for folder in ["folder0", "folder1"] {
        assert_eq!(list_target(&yard.target, folder).entries.len(), 2 * 200 + 200);
    }
}
