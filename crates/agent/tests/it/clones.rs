//! Two agents with one identity, as after cloning a machine with the agent's key: told from a reconnect, shown, and not read.

use crate::world::{Agent, HOST, World, loopback, text, until};
use octo_agent::{Admission, AgentListener};
use octo_core::{Cancel, Code, Listed, RelPath};
use octo_testkit::source_suite::keep_list;
use std::process::Command;
use std::sync::{Arc, Mutex};

type Clones = Arc<Mutex<Vec<String>>>;

/// A listener, and the hosts whose clones it told of.
fn listener(world: &World) -> (AgentListener, Clones) {
    let clones = Clones::default();
    let told = Arc::clone(&clones);
    let note = move |admission: &Admission, _| {
        if let Admission::Cloned { host } = admission {
            told.lock().unwrap().push(host.clone());
        }
    };
    let hosts = Arc::new(octo_agent::HostFile::within(&world.at("server")));
    (AgentListener::open_with(&world.at("server"), hosts, loopback(), Arc::new(note)).unwrap(), clones)
}

fn signal(agent: &Agent, signal: &str) {
    let sent = Command::new("kill").args([signal, &agent.pid().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn a_clone_is_shown_and_nothing_is_read_until_one_is_gone() {
    let world = World::new();
    std::fs::write(world.data().join("file"), "content").unwrap();
    let (listener, clones) = listener(&world);
    let original = world.join(&listener, listener.address());
    let source = world.source(&listener);
    let clone = world.start();
    until("the clone", || listener.agents(HOST).len() == 2);
    until("its note", || !clones.lock().unwrap().is_empty());
    assert_eq!(*clones.lock().unwrap(), [HOST]);
    // What was begun goes on with the machine that it began with, and with no other.
    assert_eq!(keep_list(&source, &RelPath::root(), usize::MAX).end, Listed::Complete);
    let error = listener.source(HOST, text(&world.data()), Cancel::new()).err().unwrap();
    assert!(error.code == Code::AgentCloned && error.detail.contains("127."), "{error}");
    original.kill();
    until("the end of one", || listener.agents(HOST).len() == 1);
    let listed = keep_list(&source, &RelPath::root(), usize::MAX).end;
    assert!(matches!(&listed, Listed::Incomplete(error) if error.code == Code::AgentCloned), "{listed:?}");
    // A new run takes the one that is left.
    assert_eq!(keep_list(&world.source(&listener), &RelPath::root(), usize::MAX).end, Listed::Complete);
    clone.kill();
}

#[test]
fn an_agent_that_is_started_anew_is_no_clone() {
    let world = World::new();
    let (listener, clones) = listener(&world);
    let mut agent = world.join(&listener, listener.address());
    for _ in 0..3 {
        let source = world.source(&listener);
        agent.kill();
        agent = world.start();
        assert_eq!(keep_list(&source, &RelPath::root(), usize::MAX).end, Listed::Complete);
        assert_eq!(listener.agents(HOST).len(), 1);
    }
    assert!(clones.lock().unwrap().is_empty());
}

#[test]
fn an_agent_that_gave_no_sign_of_life_and_comes_back_is_shown_beside_the_one_that_took_its_place() {
    let world = World::new();
    let (listener, clones) = listener(&world);
    let first = world.join(&listener, listener.address());
    until("the first", || listener.agents(HOST).len() == 1);
    signal(&first, "-STOP");
    let second = world.start();
    // Its connection is taken for a dead one.
    let mut source = None;
    until("the second", || {
        source = listener.source(HOST, text(&world.data()), Cancel::new()).ok();
        source.is_some()
    });
    let source = source.unwrap();
    signal(&first, "-CONT");
    until("both", || listener.agents(HOST).len() == 2);
    // It is noted after it is admitted.
    until("its note", || !clones.lock().unwrap().is_empty());
    assert_eq!(*clones.lock().unwrap(), [HOST]);
    assert_eq!(keep_list(&source, &RelPath::root(), usize::MAX).end, Listed::Complete);
    first.kill();
    second.kill();
}
