//! The log of a run, through the real program.

use crate::server::{Server, add_slow, in_the_middle};
use crate::world::World;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn the_log_of_a_run_can_be_read_while_it_runs_and_afterwards() {
    let world = World::new();
    let server = Server::start(&world);
    add_slow(&server);
    server.ask(&["run", "demo", "--no-wait"]).ends(0);
    in_the_middle(&server);
    let early = server.ask(&["log", "1"]).ends(0).says("copying").says("+ f00").stdout;
    assert!(!early.contains("ended:"), "{early}");
    let whole = server.ask(&["log", "1", "--follow"]).ends(0).says("+ f11").says("ended: succeeded").stdout;
    assert!(whole.starts_with(&early), "{early}\n{whole}");
    assert_eq!(server.ask(&["log", "1"]).ends(0).stdout, whole);
    let lines: Vec<Value> = server
        .ask(&["log", "1", "--json"])
        .ends(0)
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.last().unwrap()["level"], "info");
    let file = world.path("data/logs/1.jsonl");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    server.ask(&["log", "99"]).ends(5).says("99");
    // A log that somebody removed is an empty one.
    fs::remove_file(file).unwrap();
    assert_eq!(server.ask(&["log", "1", "--follow"]).ends(0).stdout, "");
}
