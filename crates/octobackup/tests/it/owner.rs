//! A mirror that belongs to one account, and others who work on it.

use crate::world::{Ran, World, finish};
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

const OWNER: u32 = 42_001;
const STRANGER: u32 = 42_002;

/// A source that everybody may read, with much of what a mirror records, and a folder of the owner for the mirror.
fn world() -> World {
    let world = World::with_files();
    fs::write(world.src().join("%name\n"), "odd").unwrap();
    std::os::unix::fs::symlink("a.txt", world.src().join("link")).unwrap();
    fs::create_dir(world.dst()).unwrap();
    chown(world.dst(), Some(OWNER), Some(OWNER)).unwrap();
    fs::set_permissions(world.dst(), Permissions::from_mode(0o700)).unwrap();
    for folder in [world.path(""), world.src()] {
        fs::set_permissions(folder, Permissions::from_mode(0o755)).unwrap();
    }
    world
}

fn state(world: &World, uid: u32) -> PathBuf {
    let folder = world.path(&format!("state-{uid}"));
    fs::create_dir_all(&folder).unwrap();
    chown(&folder, Some(uid), Some(uid)).unwrap();
    folder
}

fn run_as(world: &World, uid: u32, args: &[&OsStr]) -> Ran {
    finish(world.program_as(uid, args).env("OCTOBACKUP_TEST_HOME", state(world, uid)).spawn().unwrap())
}

fn sync_as(world: &World, uid: u32, options: &[&str]) -> Ran {
    let (source, target) = (world.src(), world.dst());
    let args = [OsStr::new("sync"), source.as_os_str(), target.as_os_str()];
    run_as(world, uid, &args.into_iter().chain(options.iter().map(OsStr::new)).collect::<Vec<_>>())
}

/// Everything of the mirror that does not belong to its owner.
fn of_others(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        if (meta.uid(), meta.gid()) != (OWNER, OWNER) {
            found.push(path.clone());
        }
        if meta.is_dir() {
            found.extend(of_others(&path));
        }
    }
    found
}

#[test]
fn what_root_makes_in_the_mirror_of_an_account_belongs_to_the_account() {
    let world = world();
    sync_as(&world, OWNER, &[]).ends(0);
    for step in ["new", "newer"] {
        // New, changed, moved, of another kind, deleted, linked; and a long name that is stored under another.
        fs::create_dir_all(world.src().join(step).join("deep")).unwrap();
        fs::write(world.src().join(step).join("deep/file"), step).unwrap();
        fs::write(world.src().join(step).join(format!("{step}.~octo")), step).unwrap();
        fs::write(world.src().join("a.txt"), step).unwrap();
        std::os::unix::fs::symlink(step, world.src().join(step).join("link")).unwrap();
        let _ = fs::remove_file(world.src().join("docs/b.txt"));
        sync_as(&world, 0, &[]).ends(0);
        assert_eq!(of_others(&world.dst()), Vec::<PathBuf>::new(), "after root's run");
    }
    fs::write(world.src().join("a.txt"), "the owner's again").unwrap();
    fs::remove_dir_all(world.src().join("new")).unwrap();
    fs::remove_file(world.src().join("newer/newer.~octo")).unwrap();
    sync_as(&world, OWNER, &["--max-delete", "100%"]).ends(0);
    world.assert_mirrored();
}

#[test]
fn what_root_approves_leaves_the_mirror_to_its_owner() {
    let world = world();
    (0..60).for_each(|n| fs::write(world.src().join(format!("f{n}")), "x").unwrap());
    sync_as(&world, OWNER, &[]).ends(0);
    (0..60).for_each(|n| fs::remove_file(world.src().join(format!("f{n}"))).unwrap());
    sync_as(&world, OWNER, &[]).ends(4);
    let plan = world.held(&["--json"]).ends(0).events().remove(0)["held"]["id"].as_str().unwrap().to_owned();
    world.held(&["--approve", &plan]).ends(0).says("60 files");
    assert_eq!(of_others(&world.dst()), Vec::<PathBuf>::new());
    sync_as(&world, OWNER, &[]).ends(0);
}

#[test]
fn the_metadata_that_root_keeps_can_be_changed_by_the_owner() {
    let world = world();
    let samba = world.src().join("a.txt");
    rustix::fs::setxattr(&samba, "user.comment", b"one", rustix::fs::XattrFlags::empty()).unwrap();
    sync_as(&world, OWNER, &[]).ends(0);
    rustix::fs::setxattr(&samba, "user.comment", &[b'2'; 3000], rustix::fs::XattrFlags::empty()).unwrap();
    sync_as(&world, 0, &[]).ends(0);
    rustix::fs::setxattr(&samba, "user.comment", b"three", rustix::fs::XattrFlags::empty()).unwrap();
    sync_as(&world, OWNER, &[]).ends(0);
    assert_eq!(of_others(&world.dst()), Vec::<PathBuf>::new());
}

#[test]
fn another_account_is_refused_with_the_right_command() {
    let world = world();
    sync_as(&world, OWNER, &["--mode", "0644,0755"]).ends(0);
    fs::write(world.src().join("a.txt"), "changed").unwrap();
    let command = format!("sudo -u \\#{OWNER} octobackup");
    sync_as(&world, STRANGER, &[]).ends(3).says("another account").says(&command);
    // Even where the stranger could write.
    fs::set_permissions(world.dst(), Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(world.dst().join(".octobackup"), Permissions::from_mode(0o777)).unwrap();
    sync_as(&world, STRANGER, &[]).ends(3).says(&command);
    assert_eq!(of_others(&world.dst()), Vec::<PathBuf>::new());
    // Root is told apart too, where it is not clear whose the mirror is.
    chown(world.dst(), Some(STRANGER), Some(STRANGER)).unwrap();
    sync_as(&world, 0, &[]).ends(3).says("chown -R");
}
