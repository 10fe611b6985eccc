//! A whole night, with nothing made up: the real server, a real share, a real mail server, a real clock, and the power switch.

use crate::notify::{Sink, mail_server};
use crate::server::{Server, in_the_middle, metrics};
use crate::world::{World, assert_same, tree};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

/// What a monitoring system reads: the value of one line.
fn metric(world: &World, line: &str) -> Option<i64> {
    let page = metrics(world);
    let found = page.lines().find_map(|it| it.strip_prefix(line));
    found.map(|value| value.trim().parse().unwrap())
}

fn outcome(world: &World, outcome: &str) -> Option<i64> {
    metric(world, &format!("octobackup_job_last_run_outcome{{job=\"fs\",outcome=\"{outcome}\"}} "))
}

/// A share, a mail server that is told everything, and a job that is due every minute.
fn set_up(server: &Server<'_>, sink: &Sink, address: &str) {
    let world = server.world;
    let password = world.path("pw");
    fs::write(&password, "pw-backupop").unwrap();
    fs::set_permissions(&password, PermissionsExt::from_mode(0o600)).unwrap();
    let password = password.display().to_string();
    mail_server(server, sink, "none");
    server.ask(&["notify", "set", "all", "--mail", "all@example.com", "--when", "always"]).ends(0);
    server.ask(&["credential", "set", "op", "backupop", "--password-file", &password]).ends(0);
    let (source, target) = (format!("//{address}/data"), world.dst().display().to_string());
    let job = ["job", "add", "fs", &source, &target, "--credential", "op", "--schedule", "* * * * *"];
    server.ask(&[&job[..], &["--set", "bandwidth=2MiB"]].concat()).ends(0);
}

#[test]
fn a_night_with_a_power_cut_ends_with_a_complete_mirror_and_everybody_knows_what_happened() {
    let (samba, world) = (crate::share::samba(), World::new());
    let (sink, server) = (Sink::start(&world, "plain"), Server::start(&world));
    set_up(&server, &sink, &samba.addr());

    // The schedule fires, the report comes by mail, monitoring sees it.
    let begun = Instant::now();
    while server.json(&["job", "slots", "fs"])[0]["run"].is_null() {
        assert!(begun.elapsed() < crate::server::SLOT_WAIT_MAX, "no slot came");
        std::thread::sleep(Duration::from_millis(100));
    }
    server.ask(&["job", "edit", "fs", "--schedule", "never"]).ends(0);
    let run = server.newest_run(|run| run["state"] == "finished");
    assert_eq!((&run["reason"], &run["outcome"]), (&"schedule".into(), &"succeeded".into()));
    let mails = sink.wait_for(1);
    for words in ["X-To: all@example.com", "Subject: octoBackup: fs: complete", &samba.addr(), "<html"] {
        assert!(mails[0].contains(words), "no {words} in {}", mails[0]);
    }
    assert_eq!((outcome(&world, "succeeded"), outcome(&world, "interrupted")), (Some(1), Some(0)));
    assert_eq!(metric(&world, "octobackup_job_last_run_copied_files{job=\"fs\"}"), Some(3));
    let good = metric(&world, "octobackup_job_last_good_timestamp_seconds{job=\"fs\"}");
    assert!(good.is_some());

    // Much changes, and in the middle of the next run the power is cut.
    for n in 0..12_u8 {
        fs::write(samba.share_path("data").join(format!("f{n:02}")), vec![n; 1 << 20]).unwrap();
    }
    server.ask(&["run", "fs", "--no-wait"]).ends(0);
    in_the_middle(&server);
    assert_eq!(metric(&world, "octobackup_job_running{job=\"fs\"}"), Some(1));
    server.kill();
    let source = tree(&samba.share_path("data"));
    let mirror = world.mirror();
    assert!(mirror.len() < source.len() && mirror.iter().all(|(path, entry)| source[path].0 == entry.0));

    // The next start says so, goes on by itself, and tells both.
    let server = Server::start(&world);
    let run = server.newest_run(|run| run["state"] == "finished" && run["reason"] == "recovery");
    assert_eq!(run["outcome"], "succeeded");
    assert_eq!(server.json(&["runs"])[1]["outcome"], "interrupted");
    assert_same(&world.mirror(), &source);
    let mails = sink.wait_for(3);
    assert!(mails[1].contains("fs: interrupted") && mails[1].contains("died or was killed"), "{}", mails[1]);
    assert!(mails[2].contains("Subject: octoBackup: fs: complete"), "{}", mails[2]);
    assert_eq!((outcome(&world, "succeeded"), metric(&world, "octobackup_outbox_waiting")), (Some(1), Some(0)));
    // All of this may be within a second.
    assert!(metric(&world, "octobackup_job_last_good_timestamp_seconds{job=\"fs\"}") >= good);
    assert!(metric(&world, "octobackup_job_last_run_copied_files{job=\"fs\"}") > Some(0));
    server.ask(&["digest"]).ends(0).says("fs");
}
