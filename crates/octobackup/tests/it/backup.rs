//! The server's own data: copied while it works, looked at, and brought back on another machine.

use crate::server::{Server, add};
use crate::world::World;
use octo_testkit::clock::far_from_now;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// As the manual says it is brought back.
fn bring_back(copy: &Path, data: &Path) {
    assert!(Command::new("cp").arg("-a").args([copy, data]).status().unwrap().success());
}

fn findings(server: &Server<'_>, code: i32) -> Vec<(String, bool)> {
    let said = server.ask(&["self-check", "--json"]).ends(code).stdout;
    let said: Value = serde_json::from_str(&said).unwrap();
    let of = |it: &Value| (it["about"].as_str().unwrap().to_owned(), it["is_well"].as_bool().unwrap());
    said.as_array().unwrap().iter().map(of).collect()
}

fn newest(server: &Server<'_>) -> Value {
    server.json(&["runs", "--limit", "1"])[0].clone()
}

#[test]
fn a_new_machine_goes_on_from_a_copy_of_the_servers_data_and_the_mirrors() {
    let samba = crate::share::samba();
    let first = World::with_files();
    let server = Server::start_with(&first, "[agents]\nlisten = \"127.0.0.1:0\"\n", &[]);
    let password = first.path("pw");
    fs::write(&password, "pw-backupop").unwrap();
    fs::set_permissions(&password, PermissionsExt::from_mode(0o600)).unwrap();
    server.ask(&["credential", "set", "op", "backupop", "--password-file", &password.display().to_string()]).ends(0);
    let (share, target) = (format!("//{}/data", samba.addr()), first.path("share").display().to_string());
    server.ask(&["job", "add", "share", &share, &target, "--credential", "op"]).ends(0);
    add(&server, &["--schedule", &far_from_now(), "--set", "time_zone=Europe/Berlin"]).ends(0);
    server.ask(&["run", "share"]).ends(0);
    server.ask(&["run", "demo"]).ends(0);
    server.ask(&["host", "add", "files-1"]).ends(0);
    let copy = first.path("copy");
    server.ask(&["backup", &copy.display().to_string()]).ends(0).says("copy");
    let (jobs, hosts) = (server.ask(&["export"]).ends(0).stdout, server.json(&["host", "list"]));
    let runs = server.json(&["runs"]);
    server.kill();
    fs::remove_dir_all(first.path("data")).unwrap();

    let second = World::new();
    bring_back(&copy, &second.path("data"));
    let server = Server::start_with(&second, "[agents]\nlisten = \"127.0.0.1:0\"\n", &[]);
    assert_eq!(server.ask(&["export"]).ends(0).stdout, jobs);
    assert_eq!((server.json(&["host", "list"]), server.json(&["runs"])), (hosts, runs));
    // The mirrors are the ones that were known, the stored password is good, and nothing is copied again.
    for job in ["share", "demo"] {
        server.ask(&["run", job]).ends(0);
        assert_eq!((newest(&server)["copied_files"].clone(), newest(&server)["job"].clone()), (0.into(), job.into()));
    }
    assert!(findings(&server, 1).iter().all(|(about, is_well)| *is_well != about.starts_with("copy of")));
    fs::write(first.src().join("new"), "after the fire").unwrap();
    server.ask(&["run", "demo"]).ends(0);
    first.assert_mirrored();
}

#[test]
fn without_any_copy_the_mirrors_and_a_jobs_file_are_enough() {
    let first = World::with_files();
    let server = Server::start(&first);
    add(&server, &[]).ends(0);
    server.ask(&["run", "demo"]).ends(0);
    let jobs = first.path("jobs.toml");
    fs::write(&jobs, server.ask(&["export"]).ends(0).stdout).unwrap();
    server.kill();
    fs::remove_dir_all(first.path("data")).unwrap();
    let second = World::new();
    let server = Server::start(&second);
    server.ask(&["apply", "-f", &jobs.display().to_string()]).ends(0);
    fs::remove_file(first.src().join("a.txt")).unwrap();
    server.ask(&["run", "demo"]).ends(0);
    assert_eq!(
        (newest(&server)["copied_files"].clone(), newest(&server)["deleted_files"].clone()),
        (0.into(), 1.into())
    );
    first.assert_mirrored();
    // Of a mirror whose own records are gone too, only the files are taken over.
    server.kill();
    fs::remove_dir_all(second.path("data")).unwrap();
    fs::remove_dir_all(first.dst().join(".octobackup")).unwrap();
    let server = Server::start(&second);
    server.ask(&["apply", "-f", &jobs.display().to_string()]).ends(0);
    server.ask(&["run", "demo"]).ends(3).says("--adopt");
    server.ask(&["run", "demo", "--adopt"]).ends(0);
    assert_eq!(newest(&server)["copied_files"], 0);
    first.assert_mirrored();
}

#[test]
fn a_copy_is_private_whole_and_never_written_over_anything() {
    let world = World::with_files();
    let server = Server::start(&world);
    add(&server, &[]).ends(0);
    let copy = world.path("copy");
    let back_up = |folder: &Path| server.ask(&["backup", &folder.display().to_string()]);
    back_up(&copy).ends(0);
    for entry in [".", "octobackup.db", "key"] {
        let mode = fs::metadata(copy.join(entry)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{entry} has {mode:o}");
    }
    let names: Vec<_> = fs::read_dir(&copy).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "no lock, no journal, no link for the first administrator: {names:?}");
    back_up(&copy).ends(2).says("exists already");
    back_up(&world.path("data/copy")).ends(2).says("inside the data directory");
    std::os::unix::fs::symlink(world.path("data"), world.path("link")).unwrap();
    back_up(&world.path("link/copy")).ends(2).says("inside the data directory");
    back_up(&world.path("copy/../data/copy")).ends(2).says("inside the data directory");
    back_up(&world.path("nowhere/copy")).ends(2).says("No such file");
    // What a copy that was cut off left behind has no name that anybody would use.
    fs::create_dir(world.path("next.unfinished")).unwrap();
    back_up(&world.path("next")).ends(6).says("remove it");
    assert!(!world.path("next").exists());
    server.ask(&["audit"]).ends(0).says("server.backup");
}

#[test]
fn a_self_check_finds_what_is_missing() {
    let world = World::with_files();
    let server = Server::start(&world);
    add(&server, &[]).ends(0);
    server.ask(&["run", "demo"]).ends(0);
    server.ask(&["self-check"]).ends(1).says("octobackup backup FOLDER");
    server.ask(&["backup", &world.path("copy").display().to_string()]).ends(0);
    let all = [
        "database",
        "key",
        "data directory",
        "clock",
        "disk of the data directory",
        "copy of the server's own data",
        "mirror of demo",
    ];
    assert_eq!(findings(&server, 0), all.map(|about| (about.to_owned(), true)));
    fs::rename(world.dst(), world.path("unmounted")).unwrap();
    server.ask(&["self-check"]).ends(1).says("LOOK").says("is its disk mounted?");
    fs::create_dir(world.dst()).unwrap();
    assert!(findings(&server, 1).contains(&("mirror of demo".to_owned(), false)));
}
