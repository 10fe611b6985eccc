//! A mirror's past on the command line: states, folders as they were, versions, differences, and the way back.

use crate::metadata::kept;
use crate::server::{Server, add};
use crate::world::{Ran, World, tree};
use octo_core::{Metadata, Target};
use octo_disk::{DiskOptions, DiskTarget};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

fn run(world: &World, command: &str, args: &[&str]) -> Ran {
    let dst = world.dst();
    let args = args.iter().map(OsStr::new);
    world.run(&[OsStr::new(command), dst.as_os_str()].into_iter().chain(args).collect::<Vec<_>>())
}

/// `a.txt` comes back with its metadata: of each state, with what this place in the mirror has.
pub fn assert_restored(world: &World, mirror: &Path, states: [(&str, &str); 2]) {
    for (at, place) in states {
        let to = world.path(&format!("restored-{at}"));
        let args = ["restore".as_ref(), mirror.as_os_str(), "--at".as_ref(), at.as_ref(), "--to".as_ref(), to.as_ref()];
        world.run(&args).ends(0);
        let parts = |of: Metadata| (of.attributes, of.creation_time, of.security, of.streams, of.extended);
        assert_eq!(parts(kept(&to, "a.txt").unwrap()), parts(kept(mirror, place).unwrap()), "state {at}");
    }
}

/// Three states: the files; one changed and one new; a folder deleted.
fn three_states() -> World {
    let world = World::with_files();
    world.sync(&[]).ends(0);
    fs::write(world.src().join("a.txt"), "changed since").unwrap();
    fs::write(world.src().join("docs/new"), "new").unwrap();
    world.sync(&[]).ends(0);
    fs::remove_dir_all(world.src().join("docs")).unwrap();
    world.sync(&["--max-delete", "100%"]).ends(0);
    world
}

/// The last words of each line.
fn names(ran: &Ran) -> Vec<String> {
    ran.stdout.lines().map(|line| line.rsplit("  ").next().unwrap().to_owned()).collect()
}

#[test]
fn states_folders_versions_and_differences_are_shown() {
    let world = three_states();
    let states = run(&world, "states", &[]).ends(0);
    assert_eq!(states.stdout.lines().count(), 4, "{}", states.stdout);
    states.says("1 new, 1 changed").says("4 deleted");
    let listed = run(&world, "ls", &["docs", "--at", "2"]).ends(0);
    assert_eq!(names(&listed), ["b.txt", "empty", "na\u{ef}ve \u{1f419}", "new", "zero"]);
    run(&world, "ls", &["docs", "--at", "3"]).ends(2).says("the states 1 to 2 have it");
    let versions = run(&world, "versions", &["a.txt"]).ends(0);
    assert_eq!(names(&versions)[1..], ["2 to 3", "1"], "{}", versions.stdout);
    let found = run(&world, "find", &["N*", "--ignore-case"]).ends(0);
    assert_eq!(names(&found)[1..], ["docs/na\u{ef}ve \u{1f419}", "docs/new"], "{}", found.stdout);
    run(&world, "find", &["no such name"]).ends(5);
    let mut differs: Vec<_> = run(&world, "diff", &["1", "2"]).ends(0).stdout.lines().map(str::to_owned).collect();
    differs.sort();
    assert_eq!(differs, ["+ 3  docs/new", "~ 3 -> 13  a.txt"]);
    let json = run(&world, "versions", &["docs/new", "--json"]).ends(0).events();
    assert_eq!((json[0]["first_state"].as_u64(), json[0]["is_newest"].as_bool()), (Some(2), Some(false)));
}

#[test]
fn a_deleted_folder_comes_back_and_wrong_orders_change_nothing() {
    let world = three_states();
    let to = world.path("to");
    let restored = |args: &[&str]| run(&world, "restore", &[&["--to", to.to_str().unwrap()][..], args].concat());
    restored(&["docs", "--at", "2", "--dry-run"]).ends(0).says("4 files to be restored where nothing was");
    assert!(!to.exists(), "a dry run makes nothing");
    restored(&["docs", "--at", "3"]).ends(2).says("the states 1 to 2 have it");
    restored(&["dosc", "--at", "2"]).ends(2).says("did you mean docs?");
    restored(&["--at", "99"]).ends(2).says("there is no state 99 yet: the newest is 3");
    restored(&["--at", "1999-01-01"]).ends(2).says("the oldest is state 1");
    restored(&["--at", "last tuesday"]).ends(2).says("a moment such as");
    restored(&["../outside"]).ends(2).says("a path on the source");
    assert!(!to.exists(), "nothing was made");
    restored(&["docs", "--at", "2"]).ends(0).says("4 files restored where nothing was");
    assert_eq!(fs::read_to_string(to.join("docs/new")).unwrap(), "new");
    assert_eq!(tree(&to).len(), 6);
    let report = restored(&["docs", "--at", "2", "--json"]).ends(0).report();
    assert_eq!((report["kind"].as_str(), report["counts"]["unchanged"].as_u64()), (Some("restore"), Some(4)));

    for wrong in [world.dst(), world.dst().join("x"), world.path("")] {
        let ran = run(&world, "restore", &["--to", wrong.to_str().unwrap()]).ends(2);
        ran.says("restore to another folder");
    }
    let no_mirror = world.run(&["states".as_ref(), world.src().as_ref()]).ends(2);
    no_mirror.says("this folder is not a mirror of octoBackup");
}

#[test]
fn to_look_changes_no_file_of_the_mirror() {
    let world = three_states();
    let mirror = fs::canonicalize(world.dst()).unwrap();
    // To find out what a filesystem can do, something is made for a moment: times of folders say nothing.
    let files = || tree(&mirror).into_iter().filter(|(_, node)| node.0.is_some()).collect::<Vec<_>>();
    let before = files();
    for (command, args) in [
        ("states", &[][..]),
        ("ls", &["docs", "--at", "1"]),
        ("versions", &["a.txt"]),
        ("find", &["*"]),
        ("diff", &["1"]),
    ] {
        run(&world, command, args).ends(0);
    }
    assert!(files() == before, "nothing in the mirror was changed");
}

#[test]
fn a_run_without_versions_ends_what_can_be_had() {
    let world = three_states();
    world.sync(&["--no-versions"]).ends(0);
    assert_eq!(run(&world, "states", &[]).ends(0).stdout.lines().count(), 4, "it changed nothing");
    fs::write(world.src().join("a.txt"), "not kept").unwrap();
    world.sync(&["--no-versions"]).ends(0);
    fs::write(world.src().join("a.txt"), "kept again").unwrap();
    world.sync(&[]).ends(0);
    let states = run(&world, "states", &[]).ends(0);
    assert_eq!(states.stdout.lines().count(), 3, "{}", states.stdout);
    run(&world, "ls", &["--at", "3"]).ends(2).says("the oldest is state 5");
    let to = world.path("to");
    run(&world, "restore", &["--at", "5", "--to", to.to_str().unwrap()]).ends(0);
    assert_eq!(fs::read_to_string(to.join("a.txt")).unwrap(), "not kept");

    // Two of them: what the first one left is not to be had either.
    for text in ["first without", "second without, and longer"] {
        fs::write(world.src().join("a.txt"), text).unwrap();
        world.sync(&["--no-versions"]).ends(0);
    }
    fs::write(world.src().join("a.txt"), "kept at last").unwrap();
    world.sync(&[]).ends(0);
    let states = run(&world, "states", &["--json"]).ends(0).events();
    let numbers: Vec<_> = states.iter().map(|state| state["state"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [9, 8]);
    run(&world, "ls", &["--at", "7"]).ends(2).says("the oldest is state 8");
}

#[test]
fn a_restore_and_a_run_keep_out_of_each_others_way() {
    let world = three_states();
    let mirror = DiskTarget::open(&world.dst(), DiskOptions::default()).unwrap();
    let lock = mirror.lock().unwrap();
    let to = world.path("to");
    let restore = |args: &[&str]| run(&world, "restore", &[&["--to", to.to_str().unwrap()][..], args].concat());
    restore(&[]).ends(3).says("a run, a verify or another restore works on this mirror");
    restore(&["--dry-run"]).ends(0);
    run(&world, "ls", &["--at", "1"]).ends(0);
    drop(lock);
    restore(&[]).ends(0);
}

#[test]
fn a_job_is_a_name_for_its_mirror() {
    let world = World::with_files();
    let server = Server::start(&world);
    add(&server, &[]).ends(0);
    server.ask(&["run", "demo"]).ends(0);
    server.ask(&["states", "demo"]).ends(0).says("4 new");
    server.ask(&["ls", "demo", "docs", "--at", "1"]).ends(0).says("b.txt");
    let to = world.path("to");
    server.ask(&["restore", "demo", "docs", "--to", to.to_str().unwrap()]).ends(0).says("3 files restored");
    server.ask(&["states", "nothing of this name"]).ends(2).says("no job of this name was found");
}

/// What the folder says, a server says of its job, over the network: the same words, and the same for programs.
#[test]
fn a_job_of_a_server_elsewhere_says_the_same_as_its_folder() {
    let world = three_states();
    let settings = "[http]\nlisten = \"127.0.0.1:0\"\ngenerate_for = [\"127.0.0.1\"]\n";
    let mut server = Server::start_with(&world, settings, &[]);
    let url = server.hears("answers at ");
    let token = world.path("token").display().to_string();
    let ca = world.path("data/tls/certificate.pem").display().to_string();
    server.ask(&["job", "add", "elsewhere", world.src().to_str().unwrap(), world.dst().to_str().unwrap()]).ends(0);
    server.ask(&["token", "add", "operator", &token, "--role", "operator"]).ends(0);
    let at_server = |command: &str, args: &[&str]| {
        let server = ["--url", &url, "--token-file", &token, "--ca-file", &ca];
        let args = [&[command, "elsewhere"][..], args, &server].concat();
        world.run(&args.iter().map(OsStr::new).collect::<Vec<_>>())
    };
    for (command, args) in [
        ("states", &[][..]),
        ("ls", &["--at", "2"]),
        ("ls", &["docs", "--at", "2"]),
        ("versions", &["a.txt"]),
        ("find", &["*"]),
        ("find", &["N*", "--ignore-case", "--below", "docs"]),
        ("diff", &["1"]),
        ("diff", &["1", "2"]),
    ] {
        for json in [&[][..], &["--json"]] {
            let args = [args, json].concat();
            let (here, there) = (run(&world, command, &args).ends(0), at_server(command, &args).ends(0));
            assert_eq!(there.stdout, here.stdout, "{command} {args:?}");
        }
    }
    at_server("ls", &["docs", "--at", "3"]).ends(5).says("the states 1 to 2 have it");
    at_server("ls", &["a.txt", "--at", "3"]).ends(2).says("not a folder in state 3");
    at_server("ls", &["--at", "99"]).ends(5).says("there is no state 99 yet: the newest is 3");
    at_server("ls", &["--at", "1999-01-01"]).ends(5).says("the oldest is state 1");
    at_server("versions", &["a.xt"]).ends(5).says("did you mean a.txt?");
    at_server("find", &["no such name"]).ends(5);
    fs::rename(world.dst(), world.path("away")).unwrap();
    at_server("states", &[]).ends(6).says("is its disk mounted?");
    fs::create_dir(world.dst()).unwrap();
    at_server("states", &[]).ends(6).says("this folder is not a mirror");
}

#[test]
fn a_server_elsewhere_restores_to_a_folder_that_it_allows_and_says_how_it_went() {
    let world = three_states();
    let allowed = world.path("restore");
    fs::create_dir(&allowed).unwrap();
    let http = "[http]\nlisten = \"127.0.0.1:0\"\ngenerate_for = [\"127.0.0.1\"]\n";
    let mut server = Server::start_with(&world, &format!("restore = [{allowed:?}]\n{http}"), &[]);
    let url = server.hears("answers at ");
    let token = world.path("token").display().to_string();
    let ca = world.path("data/tls/certificate.pem").display().to_string();
    server.ask(&["job", "add", "demo", world.src().to_str().unwrap(), world.dst().to_str().unwrap()]).ends(0);
    server.ask(&["token", "add", "operator", &token, "--role", "operator"]).ends(0);
    let restored = |to: &Path, args: &[&str]| {
        let end = ["--to", to.to_str().unwrap(), "--url", &url, "--token-file", &token, "--ca-file", &ca];
        let args = [&["restore", "demo"][..], args, &end].concat();
        world.run(&args.iter().map(OsStr::new).collect::<Vec<_>>())
    };
    let to = allowed.join("here");
    restored(&world.path("elsewhere"), &["--at", "2"])
        .ends(7)
        .says("restores only to folders that its configuration names");
    restored(&to, &["docs", "--at", "3"]).ends(2).says("the states 1 to 2 have it");
    restored(&to, &["docs", "--at", "2", "--dry-run"]).ends(0).says("demo: preview of a restore").says("4 files");
    assert!(!to.exists(), "a preview makes nothing");
    restored(&to, &["docs", "--at", "2"]).ends(0).says("demo: restored").says("state 2 of demo to");
    assert_eq!(fs::read_to_string(to.join("docs/new")).unwrap(), "new");
    let report = restored(&to, &["docs", "--at", "2", "--json"]).ends(0).report();
    assert_eq!((report["counts"]["unchanged"].as_u64(), report["outcome"].as_str()), (Some(4), Some("succeeded")));
    restored(&to, &["docs", "--at", "2", "--quiet"]).ends(0);
    server.ask(&["runs"]).ends(0).says("succeeded (restore)").says("succeeded (restore, dry run)");
    server.ask(&["audit"]).ends(0).says("restore.start");
    let shown = server.json(&["job", "show", "demo"]);
    assert!(shown["last_run"].is_null(), "no restore is a backup: {shown}");
}
