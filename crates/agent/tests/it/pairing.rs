//! Who may speak: one-time tokens, pinned servers, revoked agents, folders that are not allowed.

use crate::world::{HOST, World, loopback, pin_text, text, until};
use octo_core::{Cancel, Code, Listed, RelPath, Source};
use octo_testkit::source_suite::{fetch, keep_list, request};
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_token_pairs_one_machine_once_and_nothing_secret_is_left_readable() {
    let world = World::new();
    let listener = world.listener(loopback());
    let token = listener.invite(HOST).unwrap().reveal();
    let first = world.enroll(listener.address(), &token);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let again = world.enroll(listener.address(), &token);
    let words = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && words.contains("used already"), "{words}");
    assert!(!words.contains(&token[6..]), "{words}");
    for file in ["agent/identity.json", "server/authority.json", "server/hosts.json"] {
        let mode = std::fs::metadata(world.at(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let kept = std::fs::read_to_string(world.at("server/hosts.json")).unwrap();
    assert!(!kept.contains(&token[6..38]), "the secret is kept");
}

#[test]
fn a_server_that_is_not_the_tokens_is_told_nothing() {
    let (world, other) = (World::new(), World::new());
    let (listener, wrong) = (world.listener(loopback()), other.listener(loopback()));
    let token = listener.invite(HOST).unwrap().reveal();
    let output = world.enroll(wrong.address(), &token);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && words.contains("could not prove itself"), "{words}");
    // It is still good for the right one.
    assert!(world.enroll(listener.address(), &token).status.success());
}

#[test]
fn a_revoked_agent_is_cut_off_at_once_and_stays_out_until_it_is_paired_again() {
    let world = World::new();
    let listener = world.listener(loopback());
    let agent = world.join(&listener, listener.address());
    let source = world.source(&listener);
    assert!(source.pin().is_ok());
    listener.revoke(HOST).unwrap();
    until("the connection's end", || !listener.is_connected(HOST));
    let error = listener.source(HOST, text(&world.data()), Cancel::new()).err().unwrap();
    assert_eq!(error.code, Code::Usage);
    agent.kill();
    // With its old certificate it comes no further than the door.
    let old = world.start();
    let stranger = World::new();
    let _newcomer = stranger.join(&listener, listener.address());
    until("another agent", || listener.is_connected(HOST));
    assert!(pin_text(&stranger.source(&listener)).contains(text(&stranger.data())));
    old.kill();
}

#[test]
fn folders_that_are_not_allowed_are_neither_opened_nor_told_apart() {
    let world = World::new();
    let listener = world.listener(loopback());
    let _agent = world.join(&listener, listener.address());
    let open =
        |path: &str| listener.source(HOST, path, Cancel::new()).err().map(|error| error.detail.replace(path, ""));
    assert_eq!(open(text(&world.data())), None);
    let denied = open("/etc").unwrap();
    assert!(denied.contains("roots"), "{denied}");
    assert_eq!(open("/nothing of that name"), Some(denied.clone()));
    assert_eq!(open(&format!("{}/../server", text(&world.data()))), Some(denied));
}

#[test]
fn an_agent_that_is_not_paired_says_what_to_do() {
    let world = World::new();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_octobackup-agent"))
        .arg("--config")
        .arg(world.at("agent.toml"))
        .arg("run")
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && words.contains("enroll"), "{words}");
}

#[test]
fn an_agent_that_may_read_everything_gives_nothing_of_its_own_key() {
    let world = World::new();
    let top = world.folder.path().canonicalize().unwrap();
    std::fs::write(world.data().join("file"), "content").unwrap();
    let config = format!("roots = [{top:?}]\nstate = {:?}\n", world.at("agent"));
    std::fs::write(world.at("agent.toml"), config).unwrap();
    let listener = world.listener(loopback());
    let _agent = world.join(&listener, listener.address());
    for inside in [world.at("agent"), world.at("data/../agent")] {
        let error = listener.source(HOST, text(&inside), Cancel::new()).err().unwrap();
        assert_eq!(error.code, Code::OwnData, "{error}");
    }
    let source = listener.source(HOST, text(&top), Cancel::new()).unwrap();
    let path = |text: &str| RelPath::parse(text.as_bytes()).unwrap();
    assert_eq!(keep_list(&source, &RelPath::root(), usize::MAX).end, Listed::Complete);
    assert_eq!(keep_list(&source, &path("data"), usize::MAX).entries.len(), 1);
    let own = keep_list(&source, &path("agent"), usize::MAX);
    assert!(own.entries.is_empty(), "{:?}", own.entries);
    assert!(matches!(own.end, Listed::Incomplete(error) if error.code == Code::OwnFolder));
    let key = fetch(&source, &[request("agent/identity.json")], None).remove(0);
    assert!(key.pieces.is_empty() && key.error.is_some_and(|error| error.code == Code::OwnFolder));
}
