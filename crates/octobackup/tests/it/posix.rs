//! Owner, mode, ACLs, attributes and holes of a Linux folder, read here or by an agent.

use crate::agent;
use crate::metadata::{counts, kept, said};
use crate::world::World;
use octo_core::Metadata;
use octo_core::metadata::Posix;
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Gives a file an owner, an ACL and an attribute. Tells the mode that it has then.
fn decorate(file: &Path) -> u32 {
    chown(file, Some(1234), Some(4321)).unwrap();
    set_mode(file, 0o4751);
    said(Command::new("setfattr").args(["-n", "user.note", "-v", "noted"]).arg(file));
    // Version 2; user 7, user 1234 4, group 5, mask 5, others 1 (linux/posix_acl_xattr.h).
    let acl = "0x0200000001000700ffffffff02000400d204000004000500ffffffff10000500ffffffff20000100ffffffff";
    said(Command::new("setfattr").args(["-n", "system.posix_acl_access", "-v", acl]).arg(file));
    fs::metadata(file).unwrap().permissions().mode() & 0o7777
}

fn assert_decorated(metadata: &Metadata, mode: u32) {
    assert_eq!(metadata.posix, Some(Posix { uid: 1234, gid: 4321, mode }));
    assert!(metadata.xattrs.contains(&(b"user.note".to_vec(), b"noted".to_vec())));
    assert!(metadata.xattrs.iter().any(|(name, _)| name == b"system.posix_acl_access"));
}

#[test]
fn an_agent_brings_owner_mode_acl_and_attributes_of_its_machine() {
    let world = World::with_files();
    let file = world.src().join("a.txt");
    let mode = decorate(&file);
    set_mode(&world.src().join("docs"), 0o2750);
    let (server, address) = agent::listening(&world);
    let mut machine = agent::Machine::new(&world, &world.src());
    machine.join(&server, &address);
    agent::add(&server, &agent::source(&world.src()), &[]);
    server.ask(&["run", "demo"]).ends(0).says("complete");
    world.assert_mirrored();
    let of = |path: &str| kept(&world.dst(), path).unwrap();
    assert_decorated(&of("a.txt"), mode);
    assert_eq!(of("docs").posix.unwrap().mode, 0o2750);
    assert_eq!(of("").posix.unwrap().uid, fs::metadata(world.src()).unwrap().uid());
    set_mode(&file, 0o600);
    server.ask(&["run", "demo"]).ends(0);
    assert_eq!(server.json(&["runs", "--limit", "1"])[0]["copied_files"], 0);
    assert_eq!(of("a.txt").posix.unwrap().mode, 0o600);
    assert_eq!(of(".octobackup/versions/2/tree/a.txt").posix.unwrap().mode, mode);
    server.ask(&["run", "demo"]).ends(0).says("Unchanged");
}

#[test]
fn a_folder_of_this_machine_has_owner_mode_acl_and_attributes_recorded_and_the_mirror_does_not_take_them_over() {
    let world = World::with_files();
    let file = world.src().join("a.txt");
    let acl_mode = decorate(&file);
    set_mode(&world.src().join("docs"), 0o2750);
    world.sync(&[]).ends(0);
    world.assert_mirrored();
    let of = |path: &str| kept(&world.dst(), path).unwrap();
    let first = of("a.txt");
    assert_decorated(&first, acl_mode);
    assert_eq!(of("docs").posix.unwrap().mode, 0o2750);
    let copy = fs::metadata(world.dst().join("a.txt")).unwrap();
    assert_eq!((copy.uid(), copy.mode() & 0o7777), (0, 0o600));
    assert!(!said(Command::new("getfattr").args(["-m", "-"]).arg(world.dst().join("a.txt"))).contains("user."));

    let ran = world.sync(&["--json"]).ends(0);
    assert_eq!(counts(&ran, &["metadata_kept", "metadata_refreshed"]), [0, 0], "{}", ran.stdout);
    set_mode(&file, 0o600);
    fs::write(world.src().join("docs/b.txt"), "other data").unwrap();
    set_mode(&world.src().join("docs/b.txt"), 0o611);
    let ran = world.sync(&["--json"]).ends(0);
    assert_eq!(counts(&ran, &["metadata_refreshed", "replaced", "metadata_lost"]), [1, 1, 0], "{}", ran.stdout);
    assert_eq!(of("a.txt").posix.unwrap().mode, 0o600);
    assert_eq!(of("docs/b.txt").posix.unwrap().mode, 0o611);
    assert_eq!(of(".octobackup/versions/3/tree/a.txt").posix, first.posix);
    assert_eq!(of(".octobackup/versions/3/tree/docs/b.txt").posix.unwrap().mode & 0o777, 0o644);
}

#[test]
fn a_sparse_file_stays_sparse_in_the_mirror_and_among_the_versions() {
    let world = World::new();
    let file = fs::File::create(world.src().join("disk.img")).unwrap();
    file.set_len(48 << 20).unwrap();
    file.write_all_at(b"in the middle", 20 << 20).unwrap();
    world.sync(&[]).ends(0);
    world.assert_mirrored();
    let taken = |path: &str| fs::metadata(world.dst().join(path)).unwrap().blocks() * 512;
    assert!(taken("disk.img") < 1 << 20, "{} bytes taken", taken("disk.img"));
    file.write_all_at(b"again", 30 << 20).unwrap();
    file.set_len(80 << 20).unwrap();
    world.sync(&[]).ends(0);
    world.assert_mirrored();
    assert!(taken("disk.img") < 1 << 20, "{} bytes taken", taken("disk.img"));
    assert!(taken(".octobackup/versions/2/tree/disk.img") < 1 << 20);
}

#[test]
fn a_restore_gives_back_owner_mode_acl_and_attributes_but_no_set_id_bit() {
    let world = World::with_files();
    let mode = decorate(&world.src().join("a.txt"));
    chown(world.src().join("docs"), Some(1234), Some(4321)).unwrap();
    set_mode(&world.src().join("docs"), 0o750);
    world.sync(&[]).ends(0);
    // The folder is a version by then.
    fs::remove_dir_all(world.src().join("docs")).unwrap();
    world.sync(&["--max-delete", "100%"]).ends(0);
    let to = world.path("to");
    let args = ["restore", world.dst().to_str().unwrap(), "--at", "1", "--to", to.to_str().unwrap()]
        .map(std::ffi::OsString::from);
    let ran = world.run(&args.iter().map(AsRef::as_ref).collect::<Vec<_>>()).ends(1);
    ran.says("a.txt: owner and mode could not be restored: not all of it can be set there");
    let is = |path: &str| {
        let meta = fs::symlink_metadata(to.join(path)).unwrap();
        (meta.uid(), meta.gid(), meta.mode() & 0o7777)
    };
    assert_eq!(is("a.txt"), (1234, 4321, mode & 0o777));
    assert_eq!(is("docs"), (1234, 4321, 0o750));
    let attributes = said(Command::new("getfattr").args(["-d", "-m", "-"]).arg(to.join("a.txt")));
    assert!(attributes.contains("user.note=\"noted\""), "{attributes}");
    assert!(attributes.contains("system.posix_acl_access"), "{attributes}");
}
