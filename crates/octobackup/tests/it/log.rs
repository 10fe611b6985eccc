//! What the server tells while it works: its log, and its word to systemd.

use crate::server::{Server, add};
use crate::world::World;
use serde_json::Value;
use std::os::unix::net::UnixDatagram;

#[test]
fn the_log_in_json_says_when_a_run_begins_and_how_it_ends() {
    let world = World::with_files();
    let mut server = Server::start_with(&world, "log = \"json\"\n", &[]);
    add(&server, &[]).ends(0);
    server.ask(&["run", "demo"]).ends(0);
    let begins: Value = serde_json::from_str(&server.line()).unwrap();
    assert_eq!((&begins["event"], &begins["level"]), (&"run-begins".into(), &"info".into()));
    assert_eq!((&begins["job"], &begins["run"], &begins["reason"]), (&"demo".into(), &1.into(), &"manual".into()));
    assert!(begins["at"].as_str().unwrap().ends_with('Z'));
    let ends: Value = serde_json::from_str(&server.line()).unwrap();
    assert_eq!((&ends["event"], &ends["outcome"]), (&"run-ends".into(), &"succeeded".into()));
    assert_eq!((&ends["copied_files"], &ends["problems"]), (&4.into(), &0.into()));
    assert_eq!(server.terminate(), 0);
}

#[test]
fn systemd_is_told_when_the_server_answers() {
    let world = World::new();
    let path = world.path("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd.set_read_timeout(Some(crate::world::WAIT_MAX)).unwrap();
    let server = Server::start_with(&world, "", &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    let mut word = [0; 64];
    let length = systemd.recv(&mut word).unwrap();
    assert_eq!(word[..length].trim_ascii(), b"READY=1");
    server.ask(&["job", "list"]).ends(0);
}
