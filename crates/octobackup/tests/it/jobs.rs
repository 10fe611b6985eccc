//! What concerns all jobs: the server's defaults, jobs as a file, copies, who changed what, and whether a password is right.

use crate::server::{Server, add};
use crate::world::World;
use octo_testkit::clock::far_from_now;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn setting(server: &Server<'_>, job: &str, name: &str) -> (Value, Value) {
    let setting = server.json(&["job", "show", job])["settings"][name].clone();
    (setting["value"].clone(), setting["from"].clone())
}

fn names(server: &Server<'_>) -> Vec<String> {
    let jobs = server.json(&["job", "list"]);
    jobs.as_array().unwrap().iter().map(|job| job["spec"]["name"].as_str().unwrap().to_owned()).collect()
}

pub fn password(world: &World, text: &str) -> String {
    let file = world.path("pw");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    file.display().to_string()
}

#[test]
fn defaults_hold_for_jobs_that_say_nothing_else() {
    let world = World::with_files();
    let server = Server::start(&world);
    add(&server, &["--set", "retries=1"]).ends(0);
    server.ask(&["defaults", "--set", "bandwidth=5M", "--set", "retries=7"]).ends(0).says("5M");
    assert_eq!(setting(&server, "demo", "bandwidth"), ("5M".into(), "defaults".into()));
    assert_eq!(setting(&server, "demo", "retries"), (1.into(), "job".into()));
    // What a person mistypes is told and changes nothing.
    for bad in [&["--set", "bandwidth=fast"][..], &["--set", "bandwith=1M"], &["--unset", "mode"], &["--set", "x"]] {
        server.ask(&[&["defaults"], bad].concat()).ends(2);
    }
    server.ask(&["defaults", "--unset", "retries"]).ends(0);
    assert_eq!(server.json(&["defaults"]), serde_json::json!({"bandwidth": "5M"}));
    server.ask(&["job", "edit", "demo", "--unset", "retries"]).ends(0);
    assert_eq!(setting(&server, "demo", "retries"), (3.into(), "built-in".into()));
}

#[test]
fn a_copy_is_as_the_job_it_comes_from_but_for_what_is_said() {
    let world = World::with_files();
    let server = Server::start(&world);
    add(&server, &["--set", "bandwidth=5M", "--schedule", &far_from_now()]).ends(0);
    let other = world.path("other").display().to_string();
    server.ask(&["job", "copy", "demo", "demo", &other]).ends(6).says("already");
    server.ask(&["job", "copy", "demo", "second", &world.dst().display().to_string()]).ends(2).says("target");
    server.ask(&["job", "copy", "demo", "second", &other, "--set", "retries=0"]).ends(0);
    let spec = |name: &str| server.json(&["job", "show", name])["spec"].clone();
    let (first, second) = (spec("demo"), spec("second"));
    assert_eq!((&second["schedule"], &second["source"]), (&first["schedule"], &first["source"]));
    assert_eq!(second["policy"], serde_json::json!({"bandwidth": "5M", "retries": 0}));
    server.ask(&["run", "second"]).ends(0);
    assert!(world.path("other").join(".octobackup").exists() && !world.dst().exists());
}

#[test]
fn jobs_are_exported_and_applied_on_another_server() {
    let (first, second) = (World::with_files(), World::new());
    let server = Server::start(&first);
    add(&server, &["--schedule", &far_from_now(), "--exclude", "*.tmp", "--set", "blackouts=[\"08:00-18:00\"]"])
        .ends(0);
    server.ask(&["defaults", "--set", "time_zone=Europe/Berlin"]).ends(0);
    let exported = server.ask(&["export"]).ends(0).stdout;
    let file = first.path("jobs.toml");
    fs::write(&file, &exported).unwrap();
    let file = file.display().to_string();
    server.ask(&["apply", "-f", &file]).ends(0).says("No changes.");

    let other = Server::start(&second);
    other.ask(&["apply", "-f", &file, "--dry-run"]).ends(0).says("+ job demo").says("Nothing was changed");
    assert!(names(&other).is_empty());
    other.ask(&["apply", "-f", &file]).ends(0).says("~ defaults").says("+ job demo").says("Done.");
    assert_eq!(other.ask(&["export"]).ends(0).stdout, exported);
    other.ask(&["apply", "-f", &file]).ends(0).says("No changes.");
    assert_eq!(other.json(&["job", "show", "demo"])["revision"], 1, "nothing changed, and yet there is a new revision");
}

#[test]
fn apply_tells_what_changes_and_removes_only_when_told() {
    let world = World::with_files();
    let server = Server::start(&world);
    add(&server, &[]).ends(0);
    let other = world.path("other").display().to_string();
    server.ask(&["job", "copy", "demo", "second", &other]).ends(0);
    let (src, dst, file) = (world.src().display().to_string(), world.dst().display().to_string(), world.path("j.toml"));
    let job = format!("[[job]]\nname = \"demo\"\nsource = {src:?}\ntarget = {dst:?}\n");
    let schedule = far_from_now();
    fs::write(&file, format!("{job}schedule = \"{schedule}\"\n[job.policy]\nbandwidth = \"2M\"\n")).unwrap();
    let apply = |options: &[&str]| server.ask(&[&["apply", "-f", &file.display().to_string()], options].concat());
    apply(&[]).ends(0).says("~ job demo").says(&format!("schedule: (nothing) -> {schedule}")).says("policy.bandwidth");
    assert_eq!(names(&server), ["demo", "second"]);
    apply(&["--remove"]).ends(0).says("- job second");
    assert_eq!(names(&server), ["demo"]);
    // A new job may take over what a removed one had.
    fs::write(&file, job.replace("demo", "third")).unwrap();
    apply(&[]).ends(2).says("overlaps with");
    apply(&["--remove"]).ends(0).says("- job demo").says("+ job third");
    assert_eq!(names(&server), ["third"]);
}

#[test]
fn a_jobs_file_with_one_mistake_changes_nothing() {
    let world = World::with_files();
    let server = Server::start(&world);
    add(&server, &[]).ends(0);
    let (before, file) = (server.ask(&["export"]).ends(0).stdout, world.path("j.toml"));
    let (src, dst) = (world.src().display().to_string(), world.path("new").display().to_string());
    let good = format!("[[job]]\nname = \"good\"\nsource = {src:?}\ntarget = {dst:?}\n");
    for (more, words) in [
        ("scedule = \"daily 22:00\"\n", &["scedule", "line 5"][..]),
        ("schedule = \"sometimes\"\n", &["good", "schedule", "daily 22:00"]),
        ("credential = \"none\"\n", &["good", "credential"]),
        ("[job.policy]\nbandwidth = \"fast\"\n", &["good", "policy.bandwidth", "KiB"]),
        ("[defaults]\ntime_zone = \"Mars\"\n", &["time_zone", "Europe/Berlin"]),
        (good.as_str(), &["two", "good"]),
        ("[[job]]\nname = \"worse\"\n", &["source"]),
        ("[[job]", &["line"]),
    ] {
        fs::write(&file, format!("{good}{more}")).unwrap();
        let ran = server.ask(&["apply", "-f", &file.display().to_string()]).ends(2);
        words.iter().for_each(|word| assert!(ran.stderr.contains(word), "no {word} in {}", ran.stderr));
        assert_eq!(server.ask(&["export"]).ends(0).stdout, before);
    }
    server.ask(&["apply", "-f", "/nowhere"]).ends(2).says("/nowhere");
}

#[test]
fn the_bandwidth_of_the_hour_holds_instead_of_the_usual_one() {
    let world = World::new();
    (0..3).for_each(|n| fs::write(world.src().join(format!("f{n}")), vec![n; 1 << 20]).unwrap());
    let server = Server::start(&world);
    // At every time of the day, so that it does not matter when this test runs.
    let slow = r#"bandwidth_hours=["00:00-12:00 1MiB", "12:00-24:00 1MiB", "mon 00:00-24:00 1K"]"#;
    add(&server, &["--set", slow, "--set", "bandwidth=1K"]).ends(0);
    server.ask(&["run", "demo"]).ends(0);
    world.assert_mirrored();
    let took = server.json(&["runs"])[0]["duration_ms"].as_i64().unwrap();
    assert!((2_500..60_000).contains(&took), "3 MiB at 1 MiB a second took {took} ms, and at 1K it takes an hour");
    server.ask(&["job", "edit", "demo", "--set", r#"bandwidth_hours=["always 1M"]"#]).ends(2).says("08:00-18:00 2M");
}

#[test]
fn every_change_is_in_the_audit_log_and_no_password() {
    let world = World::with_files();
    let server = Server::start(&world);
    server.ask(&["credential", "set", "corp", "CORP\\b", "--password-file", &password(&world, "Hunter2")]).ends(0);
    add(&server, &[]).ends(0);
    let schedule = far_from_now();
    server.ask(&["job", "edit", "demo", "--schedule", &schedule]).ends(0);
    server.ask(&["job", "pause", "demo"]).ends(0);
    server.ask(&["defaults", "--set", "retries=2"]).ends(0);
    server.ask(&["job", "remove", "demo"]).ends(0);
    server.ask(&["credential", "remove", "corp"]).ends(0);
    let log = server.json(&["audit", "--limit", "50"]);
    let what: Vec<&str> = log.as_array().unwrap().iter().rev().map(|entry| entry["what"].as_str().unwrap()).collect();
    let changes = ["credential.set", "job.add", "job.change", "job.change", "defaults.set", "job.remove"];
    assert_eq!(what, [&changes[..], &["credential.remove"]].concat());
    assert!(log.as_array().unwrap().iter().all(|entry| entry["who"].as_str().is_some_and(|who| !who.is_empty())));
    server.ask(&["audit"]).ends(0).says("job.change").says(&schedule);
    assert!(!log.to_string().contains("Hunter2"));
}

#[test]
fn a_credential_is_tested_where_it_is_used() {
    let samba = crate::share::samba();
    let world = World::new();
    let server = Server::start(&world);
    server.ask(&["credential", "test", "op"]).ends(5).says("no credential op");
    server.ask(&["credential", "set", "op", "backupop", "--password-file", &password(&world, "pw-backupop")]).ends(0);
    server.ask(&["credential", "test", "op"]).ends(2).says("//HOST/SHARE");
    let share = format!("//{}/data", samba.addr());
    server.ask(&["credential", "test", "op", &share]).ends(0).says("works");
    server.ask(&["credential", "test", "op", "/etc"]).ends(2).says("only a share");
    server.ask(&["job", "add", "fs", &share, &world.dst().display().to_string(), "--credential", "op"]).ends(0);
    server.ask(&["credential", "test", "op"]).ends(0).says("data: works");
    // A folder that is not there, a share that is not there, and another password.
    server.ask(&["credential", "test", "op", &format!("{share}/nowhere")]).ends(3);
    server.ask(&["credential", "test", "op", &format!("//{}/nowhere", samba.addr())]).ends(3);
    server
        .ask(&["credential", "set", "op", "backupop", "--password-file", &password(&world, "Hunter2-Mistyped")])
        .ends(0);
    let ran = server.ask(&["credential", "test", "op"]).ends(3).says("refused the user name or password");
    assert!(!ran.stdout.contains("Hunter2") && !ran.stderr.contains("Hunter2"));
    assert!(!world.dst().exists());
}
