//! Files moved to where the account cannot read: they are not taken for deleted.

use crate::world::{Ran, World, finish};
use octo_testkit::samba::{Samba, SambaOptions};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

const SERVICE: u32 = 42_001;

/// A folder with 15 files, and one beside it.
fn fill(root: &Path) {
    fs::create_dir_all(root.join("other")).unwrap();
    fs::create_dir(root.join("project")).unwrap();
    (0..15).for_each(|n| fs::write(root.join(format!("project/{n}")), n.to_string()).unwrap());
    fs::write(root.join("stays"), "stays").unwrap();
}

fn from_share(world: &World, samba: &Samba, user: &str) -> Ran {
    let (source, dst) = (format!("smb://{user}@{}/data", samba.addr()), world.dst());
    let mut program = world.program(&["sync".as_ref(), source.as_ref(), dst.as_os_str()]);
    finish(program.env("OCTOBACKUP_PASSWORD", format!("pw-{user}")).spawn().unwrap())
}

fn assert_kept(world: &World) {
    assert_eq!(fs::read_dir(world.dst().join("project")).unwrap().count(), 15, "nothing was deleted");
}

#[test]
fn on_a_share_what_was_moved_below_a_closed_folder_waits() {
    let (samba, world) = (Samba::start(SambaOptions::new()), World::new());
    let root = samba.share_path("data");
    fill(&root);
    samba.deny("other");
    from_share(&world, &samba, "plain").ends(1);
    fs::rename(root.join("project"), root.join("other/project")).unwrap();
    from_share(&world, &samba, "plain").ends(4).says("other (access denied)").says("Held        15 files");
    assert_kept(&world);
    from_share(&world, &samba, "backupop").ends(0);
    assert!(!world.dst().join("project").exists() && world.dst().join("other/project/14").exists());
}

#[test]
fn on_a_share_what_was_moved_deeper_than_the_server_can_open_waits() {
    let (samba, world) = (Samba::start(SambaOptions::new()), World::new());
    let root = samba.share_path("data");
    fill(&root);
    from_share(&world, &samba, "plain").ends(0);
    // Deeper than one path can say: made from the inside out.
    let name = "d".repeat(200);
    let mut inner = root.join("project");
    for _ in 0..25 {
        let outer = root.join("outer");
        fs::create_dir(&outer).unwrap();
        fs::set_permissions(&outer, fs::Permissions::from_mode(0o777)).unwrap();
        fs::rename(&inner, outer.join(if inner.ends_with("project") { "project" } else { &name })).unwrap();
        inner = root.join("inner");
        fs::rename(&outer, &inner).unwrap();
    }
    fs::rename(&inner, root.join("other/deep")).unwrap();
    from_share(&world, &samba, "plain").ends(4);
    assert_kept(&world);
    let _ = std::process::Command::new("rm").arg("-rf").arg(root.join("other")).status();
}

#[test]
fn in_a_folder_of_this_machine_what_was_moved_below_a_closed_folder_waits() {
    let world = World::new();
    fill(&world.src());
    for path in [world.path("state"), world.dst()] {
        fs::create_dir(&path).unwrap();
        chown(&path, Some(SERVICE), Some(SERVICE)).unwrap();
    }
    fs::set_permissions(world.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let sync = |options: &[&str]| {
        let (src, dst) = (world.src(), world.dst());
        let mut args = vec!["sync".as_ref(), src.as_os_str(), dst.as_os_str(), "--new-target".as_ref()];
        args.extend(options.iter().map(std::ffi::OsStr::new));
        finish(world.program_as(SERVICE, &args).spawn().unwrap())
    };
    sync(&[]).ends(0);
    fs::rename(world.src().join("project"), world.src().join("other/project")).unwrap();
    let close = |mode| fs::set_permissions(world.src().join("other"), fs::Permissions::from_mode(mode)).unwrap();
    close(0o700);
    sync(&["-n"]).ends(4).says("project/7 (held)");
    sync(&[]).ends(4).says("other (access denied)");
    assert_kept(&world);
    close(0o755);
    sync(&[]).ends(0).says("15");
    world.assert_mirrored();
}
