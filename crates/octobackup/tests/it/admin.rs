//! What an administrator types, and what comes back.

use crate::server::{Server, add};
use crate::world::{World, finish};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

/// A command for the server of this world.
fn program(world: &World, args: &[&str]) -> Command {
    let mut command = world.program(&args.iter().map(OsStr::new).collect::<Vec<_>>());
    command.env("OCTOBACKUP_SOCKET", world.path("socket"));
    command
}

#[test]
fn exclude_rules_are_added_removed_or_replaced_and_an_edit_says_what_it_changed() {
    let world = World::with_files();
    let server = Server::start(&world);
    add(&server, &["--exclude", "*.tmp"]).ends(0);
    server.ask(&["job", "edit", "demo", "--add-exclude", "*.bak"]).ends(0).says("Changed:").says("*.bak");
    let rules = |server: &Server<'_>| {
        let shown = server.ask(&["job", "show", "demo", "--json"]).ends(0).events().remove(0);
        (shown["spec"]["policy"]["rules"].to_string(), shown["revision"].as_i64().unwrap())
    };
    assert_eq!(rules(&server).0, r#"[{"exclude":"*.tmp"},{"exclude":"*.bak"}]"#);
    server.ask(&["job", "edit", "demo", "--remove-exclude", "*.tmp"]).ends(0).says("*.tmp");
    server.ask(&["job", "edit", "demo", "--remove-exclude", "*.tmp"]).ends(2).says("is not an exclude pattern");
    let (all, revision) = rules(&server);
    assert_eq!(all, r#"[{"exclude":"*.bak"}]"#);
    // What changes nothing says so, and makes no revision.
    server.ask(&["job", "edit", "demo", "--add-exclude", "*.bak"]).ends(0).says("No changes.");
    server.ask(&["job", "resume", "demo"]).ends(0).says("resumed");
    assert_eq!(rules(&server).1, revision);
    server.ask(&["job", "edit", "demo", "--exclude", "*.log"]).ends(0).says("*.bak").says("->").says("*.log");
    server.ask(&["run", "demo", "--dry-run"]).ends(0).says("the exclude pattern \"*.log\" matched nothing");
    server.ask(&["run", "demo"]).ends(0).says("the exclude pattern \"*.log\" matched nothing");
    assert!(!server.ask(&["run", "demo"]).ends(0).stdout.contains("matched nothing"), "only the first run");
}

#[test]
fn exit_codes_tell_kinds_apart_and_no_command_is_silent() {
    let world = World::with_files();
    let server = Server::start(&world);
    add(&server, &[]).ends(0);
    for missing in [&["runs", "nosuchjob"][..], &["run", "nosuchjob"], &["report", "999"], &["job", "show", "x"]] {
        server.ask(missing).ends(5).says("there is no");
    }
    server.ask(&["user", "role", "nobody", "viewer"]).ends(5).says("there is no user nobody");
    server.ask(&["runs", "demo"]).ends(0);
    let (source, target) = (world.src(), world.path("other"));
    let twice = ["job", "add", "demo", source.to_str().unwrap(), target.to_str().unwrap()];
    server.ask(&twice).ends(6).says("there is a job demo already");
    server.ask(&["job", "edit", "demo", "--schedule", "sometimes"]).ends(2);
    let digest = octo_testkit::clock::far_from_now();
    for (command, words) in [
        (&["job", "pause", "demo"][..], "paused"),
        (&["notify", "mail-server", "mail.example.com:2525", "--from", "a@example.com", "--security", "none"], "2525"),
        (&["notify", "mail-server"], "mail.example.com"),
        (&["notify", "set", "anna", "--mail", "anna@example.com"], "anna set"),
        (&["notify", "digest", &digest], &digest),
        (&["notify", "remove", "anna"], "anna removed"),
        (&["job", "remove", "demo"], "demo removed"),
    ] {
        server.ask(command).ends(0).says(words);
    }
    server.ask(&["notify", "mail-server", "h:x", "--from", "a@example.com"]).ends(2).says("not a port");
}

#[test]
fn a_jobs_file_is_read_from_standard_input() {
    let world = World::with_files();
    let server = Server::start(&world);
    add(&server, &[]).ends(0);
    let exported = server.ask(&["export"]).ends(0).stdout;
    let mut command = program(&world, &["apply", "-f", "-"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(exported.as_bytes()).unwrap();
    finish(child).ends(0);
}

#[test]
fn a_file_as_a_source_is_called_a_file() {
    let world = World::with_files();
    let (file, target) = (world.src().join("a.txt"), world.dst());
    world.run(&["sync".as_ref(), file.as_os_str(), target.as_os_str()]).ends(3).says("it is a file");
    assert!(!target.exists() || fs::read_dir(&target).unwrap().next().is_none());
}

#[test]
fn ctrl_c_ends_the_watching_and_says_how_to_end_the_run() {
    let world = World::with_files();
    fs::write(world.src().join("large"), vec![7; 20 << 20]).unwrap();
    let server = Server::start(&world);
    add(&server, &["--set", "bandwidth=100K"]).ends(0);
    let mut child = program(&world, &["run", "demo", "--json"]).spawn().unwrap();
    let mut seen = String::new();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap());
    while !seen.contains("\"progress\"") {
        assert!(std::io::BufRead::read_line(&mut lines, &mut seen).unwrap() > 0, "{seen}");
    }
    // Others see how far it is.
    let shown = server.ask(&["runs", "demo"]).ends(0).stdout;
    assert!(shown.contains(" of "), "{shown}");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    drop(lines);
    let ran = finish(child);
    assert_eq!(ran.code, 130);
    ran.says("goes on at the server").says("octobackup cancel");
    server.ask(&["cancel", "1"]).ends(0).says("is asked to stop");
}
