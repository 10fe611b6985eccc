//! What is found out about real filesystems, and that what was found out is true of them.

use crate::ground::*;
use octo_core::Source;
use octo_core::{Abilities, Done, NameRules, Target, TimeRules, Timestamp};
use octo_disk::{DiskTarget, LocalSource};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::path::Path;

const TICKS: i64 = 10_000_000;

fn nothing_left_behind(path: &Path) {
    let names: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let ours = |name: &std::ffi::OsString| name.to_string_lossy().contains("octobackup");
    assert!(!names.iter().any(ours), "{names:?}");
}

/// `represent` must say exactly what the filesystem does, or files would be copied again for ever.
fn times_are_as_represented(target: &DiskTarget) {
    let rules = target.abilities().times;
    let file = target.create_file(&p("times")).unwrap();
    let stored = |time: Timestamp| {
        file.set_times(time, None).unwrap();
        file.meta().unwrap().write_time
    };
    let about = |time: Timestamp| (-3i64..=3).map(move |n| Timestamp(time.0.saturating_add(n * TICKS / 2)));
    for time in about(rules.min).chain(about(rules.max)).chain(about(Timestamp(0))).chain(about(MOMENT)) {
        assert_eq!(stored(time), rules.stored(time), "{time:?} under {rules:?}");
    }
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() });
    runner
        .run(&any::<i64>(), |ticks| {
            prop_assert_eq!(stored(Timestamp(ticks)), rules.stored(Timestamp(ticks)));
            Ok(())
        })
        .unwrap();
    assert_eq!(target.remove_file(&p("times")).unwrap(), Done::Yes);
}

#[test]
fn ext4_can_do_everything_until_2446() {
    let disk = Disk::ext4(16, &["-I", "256"]);
    let target = open(&disk.path);
    let times = TimeRules {
        granularity_ticks: 1,
        min: Timestamp((1 - (1 << 31)) * TICKS),
        max: Timestamp(0x3_7fff_fffe * TICKS),
    };
    assert_eq!(target.abilities(), Abilities { times, ..Abilities::full("ext4") });
    nothing_left_behind(&disk.path);
    times_are_as_represented(&target);
}

#[test]
fn ext4_with_small_inodes_keeps_whole_seconds_until_2038() {
    let disk = Disk::ext4(16, &["-I", "128"]);
    let target = open(&disk.path);
    let times =
        TimeRules { granularity_ticks: TICKS, min: Timestamp(-(1 << 31) * TICKS), max: Timestamp(0x7fff_ffff * TICKS) };
    assert_eq!(target.abilities().times, times);
    times_are_as_represented(&target);
}

#[test]
fn xfs_can_do_everything() {
    let disk = Disk::new(320, ("xfsprogs", "mkfs.xfs", &["-q"]), LOOP);
    let target = open(&disk.path);
    let found = target.abilities();
    assert_eq!(found, Abilities { times: found.times, ..Abilities::full("xfs") });
    assert_eq!(found.times.granularity_ticks, 1);
    times_are_as_represented(&target);
}

#[test]
fn btrfs_can_do_everything_and_its_subvolumes_number_files_apart() {
    let disk = Disk::new(128, ("btrfs-progs", "mkfs.btrfs", &["-q"]), LOOP);
    let target = open(&disk.path);
    let found = target.abilities();
    assert_eq!(found, Abilities { times: found.times, ..Abilities::full("btrfs") });
    assert_eq!(found.times.granularity_ticks, 1);
    times_are_as_represented(&target);
    nothing_left_behind(&disk.path);

    let subvolume = disk.path.join("subvolume");
    run("btrfs-progs", "btrfs", &["subvolume", "create", subvolume.to_str().unwrap()]);
    std::fs::write(disk.path.join("file"), "").unwrap();
    for n in 0..10 {
        std::fs::write(subvolume.join(format!("file{n}")), "").unwrap();
    }
    let source = LocalSource::open(&disk.path).unwrap();
    assert!(!source.features().folds_case && source.features().stable_ids);
    let (above, below) = (list_source(&source, "").0, list_source(&source, "subvolume").0);
    let volume = |kept: &Kept, name: &str| kept.entries[name.as_bytes()].id.unwrap().volume;
    assert_ne!(volume(&above, "file"), volume(&below, "file1"));
    let (opened, _, _) = crate::fetch::one(&source, "subvolume/file1").unwrap();
    assert_eq!(opened.id, below.entries[&b"file1"[..]].id);
}

#[test]
fn exfat_folds_case_forbids_characters_and_has_no_links() {
    let disk =
        Disk::new(16, ("exfatprogs", "mkfs.exfat", &[]), ("exfat-fuse", "mount", &["-t", "exfat-fuse", "-o", "loop"]));
    let target = open(&disk.path);
    let found = target.abilities();
    assert!(!found.hard_links && !found.symlinks && !found.whole_sync && !found.losses().is_empty(), "{found:?}");
    assert!(found.names.folds_case && found.names.utf8_only);
    assert_eq!(found.names.forbidden, "<>:\"|?*\\");
    assert_eq!(found.times.granularity_ticks, TICKS, "exFAT counts seconds in twos and hundredths of them");
    nothing_left_behind(&disk.path);
    times_are_as_represented(&target);
    make_reserved(&target);

    // Renames replace nothing although the filesystem cannot promise it; what was touched is synced file by file.
    write_file(&target, "a", b"a");
    write_file(&target, "b", b"b");
    assert_eq!(target.rename_new(&p("a"), &p("b")).unwrap(), Done::Exists);
    assert_eq!(target.rename_new(&p("a"), &p("c")).unwrap(), Done::Yes);
    assert_eq!(target.rename_new(&p("a"), &p("d")).unwrap(), Done::Missing);
    assert_eq!(target.rename_over(&p("c"), &p("b")).unwrap(), Done::Yes);
    let link = octo_core::LinkTarget { kind: octo_core::LinkType::Posix, data: b"to".to_vec() };
    assert_eq!(target.make_link(&p("link"), &link, MOMENT).unwrap(), Done::Yes);
    assert_eq!(target.read_link(&p("link")).unwrap(), Some(link));
    target.checkpoint().unwrap();
    assert_eq!(list_target(&target, "").names(), [".octobackup", "b", "link"]);
    let scratch = target.scratch().unwrap();
    scratch.write_at(0, b"spilled").unwrap();
    assert!(list_target(&target, ".octobackup/tmp").entries.is_empty());

    let source = LocalSource::open(&disk.path).unwrap();
    assert!(source.features().folds_case && !source.features().stable_ids);
}

#[test]
fn ntfs_3g_with_windows_names_has_the_rules_of_windows() {
    let make = ("ntfs-3g", "mkfs.ntfs", &["-F", "-Q", "-q"][..]);
    let disk = Disk::new(16, make, ("ntfs-3g", "ntfs-3g", &["-o", "windows_names"]));
    let target = open(&disk.path);
    let found = target.abilities();
    assert_eq!(found.names.forbidden, "<>:\"|?*\\");
    assert!(found.names.windows_rules && found.hard_links && !found.whole_sync, "{found:?}");
    assert_eq!(found.times.granularity_ticks, 1);
    times_are_as_represented(&target);
}

#[test]
fn probing_uses_our_own_area_if_there_is_one() {
    let yard = yard();
    make_reserved(&yard.target);
    let before = yard.target.look(&p("")).unwrap();
    let again = open(&yard.root);
    assert_eq!(again.abilities(), yard.target.abilities());
    assert_eq!(again.look(&p("")).unwrap(), before, "the root itself was not written to");
    assert!(list_target(&again, ".octobackup/tmp").entries.is_empty());
}

#[test]
fn the_rules_for_names_of_this_disk_hold() {
    let yard = yard();
    assert_eq!(yard.target.abilities().names, NameRules::POSIX);
    for name in [&b"x\xFF"[..], b"con", b"a:b", b"end. ", &[b'n'; 255], b"\x01", b"\xED\xA0\x80"] {
        let path = octo_core::RelPath::parse(name).unwrap();
        drop(yard.target.create_file(&path).unwrap());
        assert!(list_target(&yard.target, "").entries.contains_key(name));
    }
}

#[test]
fn what_a_killed_probe_left_is_swept_and_a_living_one_is_not() {
    let temp = temp();
    let (left, living) = (".octobackup-probe-0123456789abcdef", ".octobackup-probe-fedcba9876543210");
    let others = [".octobackup-probe-", ".octobackup-probe-0123456789abcdeg", "octobackup-probe-0123456789abcdef"];
    for folder in [&[left, living][..], &others].concat() {
        std::fs::create_dir(temp.path().join(folder)).unwrap();
        std::fs::write(temp.path().join(folder).join("file"), "").unwrap();
    }
    let held = std::fs::File::open(temp.path().join(living)).unwrap();
    held.try_lock().unwrap();
    open(temp.path());
    assert!(!temp.path().join(left).exists() && temp.path().join(living).join("file").exists());
    assert!(others.iter().all(|folder| temp.path().join(folder).join("file").exists()));
}
