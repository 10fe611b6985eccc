//! Causes that last until somebody changes them: each is one problem, and a note once a person has acknowledged it.

use crate::server::{Server, add};
use crate::unmounted::Mount;
use crate::world::{Ran, World, finish};
use octo_testkit::samba::{Samba, SambaOptions};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;

/// A share that is the root of a namespace.
fn samba() -> Samba {
    Samba::start(SambaOptions::new().global("host msdfs = yes").share("ns", "ns", &["msdfs root = yes"]))
}

fn sync(world: &World, samba: &Samba, user: &str, share: &str, options: &[&str]) -> Ran {
    let (source, dst) = (format!("smb://{user}@{}/{share}", samba.addr()), world.dst());
    let mut args = vec!["sync".as_ref(), source.as_ref(), dst.as_os_str(), "--json".as_ref()];
    args.extend(options.iter().map(std::ffi::OsStr::new));
    finish(world.program(&args).env("OCTOBACKUP_PASSWORD", format!("pw-{user}")).spawn().unwrap())
}

/// Each cause with how often it was met.
fn causes(ran: &Ran) -> Vec<(String, u64)> {
    let report = ran.report();
    let causes = report["causes"].as_array().unwrap().iter();
    causes.map(|cause| (cause["code"].as_str().unwrap().to_owned(), cause["count"].as_u64().unwrap())).collect()
}

#[test]
fn a_link_of_dfs_is_one_problem_each_night_until_it_is_acknowledged_or_excluded() {
    let (samba, world) = (samba(), World::new());
    let share = samba.share_path("ns");
    fs::create_dir(share.join("sub")).unwrap();
    fs::write(share.join("sub/file"), "here").unwrap();
    // A folder that moves to another server later.
    fs::create_dir(share.join("projects")).unwrap();
    fs::write(share.join("projects/old"), "was here").unwrap();
    fs::write(share.join("gone"), "deleted later").unwrap();
    symlink(r"msdfs:other.example.org\share", share.join("sub/elsewhere")).unwrap();
    let nightly = |options: &[&str]| sync(&world, &samba, "backupop", "ns", options);
    assert_eq!(causes(&nightly(&[]).ends(1)), [("dfs-link".to_owned(), 1)]);
    assert!(!world.dst().join("sub/elsewhere").exists(), "no empty folder stands for it");

    // What was moved to another server stays in the mirror. Nothing can be hidden in a link: other deletions do not wait.
    fs::remove_dir_all(share.join("projects")).unwrap();
    symlink(r"msdfs:other.example.org\projects", share.join("projects")).unwrap();
    fs::remove_file(share.join("gone")).unwrap();
    let ran = nightly(&[]).ends(1);
    assert_eq!(causes(&ran), [("dfs-link".to_owned(), 2)]);
    assert_eq!(ran.report()["counts"]["deleted"], 1, "{}", ran.stdout);
    assert_eq!(fs::read_to_string(world.dst().join("projects/old")).unwrap(), "was here");
    assert!(!world.dst().join("gone").exists());

    let both = ["--acknowledge", "/projects", "--acknowledge", "sub/elsewhere/"];
    let ran = nightly(&both).ends(0);
    assert_eq!(causes(&ran), [("acknowledged".to_owned(), 2)], "listed all the same");
    assert_eq!(ran.report()["counts"]["problems"], 0);
    assert_eq!(causes(&nightly(&["--exclude", "/projects/", "--acknowledge", "sub/elsewhere"]).ends(0)).len(), 1);
    assert_eq!(causes(&nightly(&["--acknowledge", "projects"]).ends(1)).len(), 2, "the other one is a problem");

    // It came back: what is acknowledged is the cause, not the name.
    fs::remove_file(share.join("projects")).unwrap();
    fs::create_dir(share.join("projects")).unwrap();
    fs::write(share.join("projects/new"), "back").unwrap();
    assert_eq!(causes(&nightly(&both).ends(0)), [("acknowledged".to_owned(), 1)]);
    assert_eq!(fs::read_to_string(world.dst().join("projects/new")).unwrap(), "back");
}

#[test]
fn a_closed_folder_is_one_problem_and_holds_no_deletion_once_it_is_acknowledged() {
    let (samba, world) = (Samba::start(SambaOptions::new()), World::new());
    let share = samba.share_path("data");
    fs::create_dir(share.join("closed")).unwrap();
    fs::write(share.join("closed/secret"), "secret").unwrap();
    fs::write(share.join("gone"), "deleted later").unwrap();
    samba.deny("closed");
    let nightly = |options: &[&str]| sync(&world, &samba, "plain", "data", options);
    assert_eq!(causes(&nightly(&[]).ends(1)), [("access-denied".to_owned(), 1)]);
    fs::remove_file(share.join("gone")).unwrap();
    nightly(&[]).ends(4);
    assert!(world.dst().join("gone").exists());
    let ran = nightly(&["--acknowledge", "closed"]).ends(0);
    assert_eq!(causes(&ran), [("acknowledged".to_owned(), 1)]);
    assert!(!world.dst().join("gone").exists());
    nightly(&["--acknowledge", "."]).ends(2);
    // Withdrawn, it holds again what goes from then on.
    fs::write(share.join("gone"), "again").unwrap();
    nightly(&[]).ends(1);
    fs::remove_file(share.join("gone")).unwrap();
    nightly(&[]).ends(4);
}

#[test]
fn the_report_prints_the_command_that_acknowledges() {
    let (samba, world) = (samba(), World::new());
    symlink(r"msdfs:other.example.org\share", samba.share_path("ns").join("old projects")).unwrap();
    let (source, dst) = (format!("smb://backupop@{}/ns", samba.addr()), world.dst());
    let run = |args: &[&OsStr]| finish(world.program(args).env("OCTOBACKUP_PASSWORD", "pw-backupop").spawn().unwrap());
    let ran = run(&["sync".as_ref(), source.as_ref(), dst.as_os_str()]).ends(1);
    ran.says("1 problem: a link to a folder of another server").says("--acknowledge 'old projects'");
    run(&["doctor".as_ref(), source.as_ref()]).says("old projects: a link to a folder of another server");
    // A source that is such a link itself.
    let source = format!("{source}/old projects");
    let ran = run(&["sync".as_ref(), source.as_ref(), world.path("other").as_os_str()]).ends(3);
    ran.says("the source folder does not exist or cannot be listed").says("name that server and its share");
}

#[test]
fn a_job_has_what_was_acknowledged_and_its_limits_as_settings() {
    let world = World::with_files();
    let server = Server::start(&world);
    let socket = std::os::unix::net::UnixListener::bind(world.src().join("socket")).unwrap();
    add(&server, &[]).ends(0);
    server.ask(&["run", "demo"]).ends(1).says("job edit demo --acknowledge socket");
    server.ask(&["job", "edit", "demo", "--acknowledge", "/socket"]).ends(0).says("acknowledged: (nothing)");
    server.ask(&["run", "demo"]).ends(0).says("1 note: left out, and acknowledged").says("socket");
    server.ask(&["job", "edit", "demo", "--acknowledge", "socket"]).ends(0).says("No changes");
    server.ask(&["job", "edit", "demo", "--set", "max_folder_entries=2", "--set", "max_idle=unlimited"]).ends(0);
    server.ask(&["run", "demo"]).ends(1).says("more than 2 entries");
    server.ask(&["job", "edit", "demo", "--unset", "max_folder_entries", "--unset", "acknowledged"]).ends(0);
    server.ask(&["run", "demo"]).ends(1).says("1 problem: devices, sockets and pipes");
    drop(socket);
}

#[test]
fn a_filesystem_mounted_in_the_source_is_one_problem_and_holds_nothing_once_it_is_acknowledged() {
    let world = World::with_files();
    let mounted = world.src().join("docs/mounted");
    fs::create_dir(&mounted).unwrap();
    let _mount = Mount::tmpfs(mounted.clone());
    fs::write(mounted.join("file"), "elsewhere").unwrap();
    assert_eq!(causes(&world.sync(&["--json"]).ends(1)), [("other-device".to_owned(), 1)]);
    fs::remove_file(world.src().join("a.txt")).unwrap();
    world.sync(&["--json"]).ends(4);
    let ran = world.sync(&["--json", "--acknowledge", "docs/mounted"]).ends(0);
    assert_eq!(causes(&ran), [("acknowledged".to_owned(), 1)]);
    assert!(!world.dst().join("a.txt").exists());
}
