//! `octobackup restore` to a share of a real Samba. What comes back with a file: `crates/smb/tests/it/restore.rs`.

use crate::server::Server;
use crate::world::{Ran, World, finish};
use octo_testkit::samba::{Samba, SambaOptions};
use std::fs;
use std::path::Path;

/// A share with files, an empty one, and an account that may restore.
fn samba() -> Samba {
    let samba = Samba::start(SambaOptions::new().user("restoreop").share("empty", "empty", &[]));
    for right in ["SeBackupPrivilege", "SeRestorePrivilege"] {
        samba.grant("restoreop", right);
    }
    let root = samba.share_path("data");
    fs::create_dir(root.join("sub")).unwrap();
    for name in ["a.txt", "sub/b.txt", "locked.txt"] {
        fs::write(root.join(name), name).unwrap();
    }
    samba.deny("locked.txt");
    samba
}

/// Runs the program as an account of the share.
fn program(world: &World, user: &str, args: &[&str]) -> Ran {
    let args: Vec<_> = args.iter().map(std::ffi::OsStr::new).collect();
    finish(world.program(&args).env("OCTOBACKUP_PASSWORD", Samba::password(user)).spawn().unwrap())
}

fn restore(world: &World, samba: &Samba, (user, to): (&str, &str), options: &[&str]) -> Ran {
    let to = format!("smb://{user}@{}/{to}", samba.addr());
    let mirror = world.dst();
    program(world, user, &[&["restore", mirror.to_str().unwrap(), "--to", &to][..], options].concat())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_state_goes_back_to_the_share_it_came_from_and_to_a_new_folder_of_another() {
    let (samba, world) = (samba(), World::new());
    let (data, empty) = (samba.share_path("data"), samba.share_path("empty"));
    let source = format!("smb://backupop@{}/data", samba.addr());
    program(&world, "backupop", &["sync", &source, world.dst().to_str().unwrap()]).ends(0);

    restore(&world, &samba, ("restoreop", "empty/new"), &["--dry-run"]).ends(2);
    assert!(names(&empty).is_empty(), "a preview makes nothing");
    restore(&world, &samba, ("restoreop", "empty/new"), &[]).ends(0).says("3 files restored where nothing was");
    assert_eq!(names(&empty.join("new")), ["a.txt", "locked.txt", "sub"]);
    assert_eq!(samba.acl("empty", "new/locked.txt", &[]), samba.acl("data", "locked.txt", &[]));

    fs::write(data.join("a.txt"), "overwritten by mistake").unwrap();
    fs::remove_dir_all(data.join("sub")).unwrap();
    let preview = restore(&world, &samba, ("restoreop", "data"), &["--existing", "replace", "--dry-run"]).ends(0);
    preview.says("1 file to be replaced").says("1 file to be restored where nothing was").says("1 file there already");
    assert_eq!(fs::read(data.join("a.txt")).unwrap(), b"overwritten by mistake");
    restore(&world, &samba, ("restoreop", "data"), &["--existing", "replace"]).ends(0).says("1 file replaced");
    assert_eq!(fs::read(data.join("a.txt")).unwrap(), b"a.txt");
    assert_eq!(names(&data), ["a.txt", "locked.txt", "sub"]);

    let options = ["--user", "somebody"];
    let mirror = world.dst();
    let to = world.path("local");
    let args = ["restore", mirror.to_str().unwrap(), "--to", to.to_str().unwrap(), options[0], options[1]];
    program(&world, "restoreop", &args).ends(2).says("only a share needs an account");
    restore(&world, &samba, ("nobody-knows", "data"), &[]).ends(3);
}

#[test]
fn a_server_restores_to_the_share_a_job_copies_from_and_pauses_every_job_of_it() {
    let (samba, world) = (samba(), World::new());
    let data = samba.share_path("data");
    let server = Server::start(&world);
    for user in ["restoreop", "plain"] {
        let file = crate::jobs::password(&world, &Samba::password(user));
        server.ask(&["credential", "set", user, user, "--password-file", &file]).ends(0);
    }
    let share = format!("//{}/data", samba.addr());
    let add = |name: &str, share: &str| {
        let mirror = world.path(&format!("mirror-{name}"));
        let args = ["job", "add", name, share, mirror.to_str().unwrap(), "--credential", "restoreop"];
        server.ask(&args).ends(0);
    };
    add("fs", &share);
    add("below", &format!("{share}/SUB"));
    add("other", &format!("//{}/empty", samba.addr()));
    server.ask(&["run", "fs"]).ends(0);
    fs::write(data.join("a.txt"), "overwritten by mistake").unwrap();
    fs::remove_dir_all(data.join("sub")).unwrap();
    let is_paused = |job: &str| server.json(&["job", "show", job])["spec"]["paused"] == true;

    let to_source = ["restore", "fs", "--to", "source", "--existing", "replace"];
    server.ask(&[&to_source[..], &["--dry-run"]].concat()).ends(0).says("nothing was changed");
    assert!(!is_paused("fs") && names(&data) == ["a.txt", "locked.txt"], "a preview changes nothing");
    server.ask(&to_source).ends(0).says("octobackup job resume fs").says("octobackup job resume below");
    assert_eq!(names(&data), ["a.txt", "locked.txt", "sub"]);
    assert_eq!(fs::read(data.join("a.txt")).unwrap(), b"a.txt");
    assert!(is_paused("fs") && is_paused("below") && !is_paused("other"), "until a person resumes them");

    let elsewhere = format!("smb://{}/empty/new", samba.addr());
    server.ask(&["restore", "fs", "--to", &elsewhere, "--credential", "restoreop"]).ends(0);
    assert_eq!(names(&samba.share_path("empty").join("new")), ["a.txt", "locked.txt", "sub"]);
    assert!(is_paused("other"));
    // Without a credential: it is not the job's own share.
    let url = elsewhere.replace("smb://", "smb://somebody@");
    server.ask(&["restore", "fs", "--to", &url, "--credential", "plain"]).ends(2).says("leave USER@");
    server.ask(&["restore", "fs", "--to", "source", "--credential", "plain"]).ends(2).says("has the job's credential");
    server.ask(&["restore", "fs", "--to", "source", "--user", "plain"]).ends(2).says("as it has stored");
    let as_guest = ["restore", "fs", "--to", &elsewhere, "--credential", "restoreop", "--guest"];
    server.ask(&as_guest).ends(2).says("as it has stored");
}
