//! What people are shown: times by their machine's clocks, and one number for a run.

use crate::server::{Server, add};
use crate::world::World;
use octo_testkit::clock::far_from_now;
use std::fs;

#[test]
fn times_are_by_the_machines_clocks_and_a_run_has_one_number_everywhere() {
    let world = World::with_files();
    let server = Server::start_with(&world, "", &[("TZ", "Europe/Berlin")]);
    // The mirror has a state already: its number is not the run's.
    world.sync(&[]).ends(0).says("state 1, ");
    let schedule = far_from_now();
    let hour: u32 = schedule["daily ".len()..][..2].parse().unwrap();
    add(&server, &["--schedule", &schedule, "--set", "max_delete=0"]).ends(0).says("Europe/Berlin");
    fs::write(world.src().join("new"), "new").unwrap();
    let ran = server.ask(&["run", "demo"]).ends(0).says("run 1, ");
    assert!(!ran.stdout.contains("run 2"), "{}", ran.stdout);
    let report = server.json(&["report", "1"]);
    assert_eq!((&report["run"], &report["state"]), (&1.into(), &2.into()));
    // A time in Berlin is an hour or two earlier in UTC.
    let due = server.json(&["schedule", "--count", "1"])[0]["due_at"].as_str().unwrap()[11..13].to_owned();
    assert!(
        [1, 2].map(|earlier| format!("{:02}", (hour + 24 - earlier) % 24)).contains(&due),
        "{due}, not before {hour}"
    );
    let in_tokyo = |args: &[&str]| {
        let args: Vec<_> = args.iter().map(std::ffi::OsStr::new).collect();
        let mut command = world.program(&args);
        crate::world::finish(
            command.env("TZ", "Asia/Tokyo").env("OCTOBACKUP_SOCKET", world.path("socket")).spawn().unwrap(),
        )
    };
    in_tokyo(&["runs"]).ends(0).says("STARTED (Asia/Tokyo)").says(" JST");
    in_tokyo(&["job", "list"]).ends(0).says("NEXT (Asia/Tokyo)");
    in_tokyo(&["report", "1"]).ends(0).says(" JST, took");
    in_tokyo(&["digest"]).ends(0).says(" JST");
    in_tokyo(&["runs", "--utc"]).ends(0).says("STARTED (UTC)").says(" UTC");
}
