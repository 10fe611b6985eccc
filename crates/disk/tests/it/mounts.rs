//! Other filesystems inside the mirror or the source, and filesystems that are full or read-only.

use crate::ground::*;
use octo_core::{Code, Done, Kind, Listed, Target};
use octo_disk::{DiskOptions, DiskTarget, LocalSource};

/// Before the target is opened: a handle sees the mounts of its own namespace.
fn own_yard() -> Yard {
    own_mounts();
    yard()
}

fn tmpfs_inside(yard: &Yard) -> Mounted {
    yard.target.make_folder(&p("inner")).unwrap();
    write_file(&yard.target, "file", b"file");
    let mounted = mount(&["-t", "tmpfs", "none"], &yard.root.join("inner"));
    std::fs::write(yard.root.join("inner/theirs"), "theirs").unwrap();
    mounted
}

#[test]
fn nothing_is_touched_on_another_filesystem_inside_the_mirror() {
    let yard = own_yard();
    let _mounted = tmpfs_inside(&yard);
    let target = &yard.target;
    assert_eq!(list_target(target, "").entries[&b"inner"[..]].kind, Kind::Folder);
    let mut kept = Kept::default();
    assert!(
        matches!(target.list(&p("inner"), &mut kept), Listed::Incomplete(error) if error.code == Code::OtherDevice)
    );
    let (theirs, new, file) = (p("inner/theirs"), p("inner/new"), p("file"));
    let codes = [
        code(target.look(&theirs)),
        code(target.create_file(&new)),
        code(target.open_file(&theirs)),
        code(target.make_folder(&new)),
        code(target.remove_file(&theirs)),
        code(target.rename_new(&file, &new)),
        code(target.rename_over(&theirs, &file)),
        code(target.hard_link(&file, &new)),
        code(target.set_times(&theirs, MOMENT, None)),
        code(target.set_times(&p("inner"), MOMENT, None)),
        code(target.sync_folder(&p("inner"))),
    ];
    assert_eq!(codes, [Code::OtherDevice; 11]);
    assert!(target.remove_folder(&p("inner")).is_err() && target.rename_new(&p("inner"), &p("gone")).is_err());
    assert_eq!(std::fs::read_dir(yard.root.join("inner")).unwrap().count(), 1);
}

#[test]
fn a_bind_mount_of_the_same_filesystem_is_another_filesystem_too() {
    let yard = own_yard();
    yard.target.make_folder(&p("bound")).unwrap();
    let _mounted = mount(&["--bind", yard.outside.to_str().unwrap()], &yard.root.join("bound"));
    let before = yard.outside_state();
    assert_eq!(code(yard.target.remove_file(&p("bound/canary"))), Code::OtherDevice);
    assert_eq!(code(yard.target.create_file(&p("bound/new"))), Code::OtherDevice);
    assert_eq!(yard.outside_state(), before);
}

#[test]
fn a_folder_within_an_allowed_one_is_made_on_the_filesystem_that_is_mounted_on_the_way_and_has_its_space() {
    let yard = own_yard();
    std::fs::create_dir_all(yard.root.join("deep/inner")).unwrap();
    let _mounted = mount(&["-t", "tmpfs", "-o", "size=3m", "none"], &yard.root.join("deep/inner"));
    let open = |below: &str, create| {
        DiskTarget::open_within(&yard.root, &p(below), DiskOptions { create, plain: true, ..DiskOptions::default() })
    };
    let total = |target: DiskTarget| target.space().unwrap().total_bytes;
    assert_eq!(total(open("deep/inner/a/b", false).unwrap()), 3 << 20, "a preview makes nothing");
    assert!(!yard.root.join("deep/inner/a").exists());
    let target = open("deep/inner/a/b", true).unwrap();
    write_file(&target, "file", b"file");
    assert_eq!(std::fs::read(yard.root.join("deep/inner/a/b/file")).unwrap(), b"file");
    assert_eq!(total(target), 3 << 20);
    assert_eq!(total(open("deep/inner", true).unwrap()), 3 << 20);
    // Beside it, and above it.
    assert!(total(open("other/a", true).unwrap()) != 3 << 20 && yard.root.join("other/a").is_dir());
    assert!(open("", true).is_ok());
    // Through no link, whatever is missing behind it.
    std::os::unix::fs::symlink(&yard.outside, yard.root.join("link")).unwrap();
    let before = yard.outside_state();
    assert!(open("link/new", true).is_err() && open("link/new", false).is_err());
    assert_eq!(yard.outside_state(), before);
}

#[test]
fn a_source_lists_a_mount_point_and_does_not_go_into_it() {
    let yard = own_yard();
    let _mounted = tmpfs_inside(&yard);
    let source = LocalSource::open(&yard.root).unwrap();
    let (kept, listed) = list_source(&source, "");
    assert_eq!((kept.names(), listed), (vec!["file".into(), "inner".into()], Listed::Complete));
    let (kept, listed) = list_source(&source, "inner");
    assert!(matches!(listed, Listed::Incomplete(error) if error.code == Code::OtherDevice) && kept.entries.is_empty());
    assert_eq!(crate::fetch::one(&source, "inner/theirs").unwrap_err().code, Code::OtherDevice);
}

#[test]
fn a_full_disk_says_so_and_breaks_nothing_else() {
    let disk = Disk::ext4(16, &["-N", "64"]);
    let target = open(&disk.path);
    write_file(&target, "before", b"before");
    let filler = target.create_file(&p("filler")).unwrap();
    let (block, mut at) = (vec![1u8; 1 << 20], 0);
    let full = loop {
        match filler.write_at(at, &block) {
            Ok(()) => at += block.len() as u64,
            Err(error) => break error,
        }
    };
    assert_eq!(full.code, Code::NoSpace);
    assert!(full.code.stops_run() && at >= 4 << 20, "{at} bytes were written");
    assert!(target.space().unwrap().free_bytes < 1 << 20);
    // Deleting and renaming still work; what was there is whole.
    assert_eq!(target.rename_new(&p("before"), &p("after")).unwrap(), Done::Yes);
    assert_eq!(std::fs::read(disk.path.join("after")).unwrap(), b"before");
    target.checkpoint().unwrap();
    drop(filler);
    assert_eq!(target.remove_file(&p("filler")).unwrap(), Done::Yes);
    write_file(&target, "again", b"again");

    // No inode left is no space either.
    let out_of_inodes = (0..100).find_map(|n| target.create_file(&p(&format!("inode{n}"))).err()).unwrap();
    assert_eq!(out_of_inodes.code, Code::NoSpace);
    assert_eq!(code(target.make_folder(&p("folder"))), Code::NoSpace);
}

#[test]
fn a_disk_without_space_for_records_says_so() {
    let disk = Disk::ext4(16, &["-N", "32"]);
    let target = open(&disk.path);
    let _none_left = (0..100).find_map(|n| target.create_file(&p(&format!("inode{n}"))).err()).unwrap();
    assert_eq!(code(target.record_name(&p("cut"), b"full name")), Code::NoSpace);
    target.checkpoint().unwrap();
}

#[test]
fn a_disk_that_became_read_only_fails_the_target() {
    let disk = Disk::ext4(16, &[]);
    let target = open(&disk.path);
    write_file(&target, "file", b"file");
    run("mount", "mount", &["-o", "remount,ro", disk.path.to_str().unwrap()]);
    assert_eq!(code(target.create_file(&p("new"))), Code::TargetFailed);
    assert_eq!(code(target.remove_file(&p("file"))), Code::TargetFailed);
    assert_eq!(
        code(DiskTarget::open(&disk.path, DiskOptions { create: true, ..Default::default() })),
        Code::TargetFailed
    );
    // A dry run over a mirror that cannot be written is possible.
    let dry = DiskTarget::open(&disk.path, DiskOptions::default()).unwrap();
    assert_eq!(list_target(&dry, "").names(), ["file", "lost+found"]);
}

#[test]
fn a_checkpoint_that_could_not_reach_the_disk_says_so() {
    own_mounts();
    let temp = temp();
    let at = |path: &str| temp.path().join(path);
    // A disk that announces 64 MiB and has 8: writes go well until they have to be written.
    for folder in ["small", "disk"] {
        std::fs::create_dir(at(folder)).unwrap();
    }
    let _small = mount(&["-t", "tmpfs", "-o", "size=8m", "none"], &at("small"));
    std::fs::File::create(at("small/image")).unwrap().set_len(64 << 20).unwrap();
    let image = at("small/image").to_str().unwrap().to_owned();
    run("e2fsprogs", "mkfs.ext4", &["-q", "-F", "-O", "^has_journal", &image]);
    let _disk = mount(&["-o", "loop", &image], &at("disk"));
    let target = open(&at("disk"));
    target.checkpoint().unwrap();
    let file = target.create_file(&p("file")).unwrap();
    let written = (0..32).try_for_each(|n| file.write_at(n << 20, &vec![7; 1 << 20]));
    assert_eq!(written, Ok(()), "the disk takes it for now");
    assert_eq!(code(target.checkpoint()), Code::TargetFailed);
}
