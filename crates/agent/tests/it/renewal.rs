//! Certificates that are renewed by themselves, and many agents at once.

use crate::world::{HOST, World, loopback, until};
use octo_agent::{Admission, AgentListener, Roots};
use octo_core::{Cancel, Error, Listed, RelPath, Source};
use octo_testkit::generated::{GeneratedSource, GeneratedTree};
use octo_testkit::source_suite::keep_list;
use std::sync::Arc;

const DAY_TICKS: i64 = 86_400 * octo_core::time::TICKS_PER_SEC;
const AGENTS: u64 = 40;

fn kept(world: &World, file: &str) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(world.at(file)).unwrap()).unwrap()
}

#[test]
fn a_certificate_is_renewed_by_itself_when_it_is_due_and_the_one_before_does_not_count_any_more() {
    let world = World::new();
    let listener = world.listener(loopback());
    let address = listener.address();
    world.join(&listener, address).kill();
    let mut old = kept(&world, "agent/identity.json");
    old["issued"] = (old["issued"].as_i64().unwrap() - 61 * DAY_TICKS).into();
    std::fs::write(world.at("agent/identity.json"), old.to_string()).unwrap();
    let agent = world.start();
    until("the agent", || listener.is_connected(HOST));
    let new = kept(&world, "agent/identity.json");
    assert!(new["certificate"] != old["certificate"] && new["key"] != old["key"]);
    assert_eq!((&new["authority"], &new["agent"]), (&old["authority"], &old["agent"]));
    assert!(new["issued"].as_i64() > old["issued"].as_i64());
    until("one certificate", || kept(&world, "server/hosts.json")[0]["certificates"].as_array().unwrap().len() == 1);
    // Whoever has the old one, from a backup of that machine perhaps, is a stranger.
    agent.kill();
    until("the end", || !listener.is_connected(HOST));
    std::fs::write(world.at("agent/identity.json"), old.to_string()).unwrap();
    drop(listener);
    let (tell, refused) = std::sync::mpsc::channel();
    let on_admission = std::sync::Arc::new(move |admission: &Admission, _| drop(tell.send(admission.clone())));
    let hosts = std::sync::Arc::new(octo_agent::HostFile::within(&world.at("server")));
    let mut again = None;
    // The port may be held for a moment by connections that are ending.
    until("the port", || {
        again = AgentListener::open_with(&world.at("server"), hosts.clone(), address, on_admission.clone()).ok();
        again.is_some()
    });
    let _stranger = world.start();
    // It asks for a certificate, as its own is due, and comes with the one it has.
    for _ in 0..2 {
        let refusal = refused.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
        assert_eq!(refusal, Admission::CertificateRefused { host: Some(HOST.to_owned()) });
    }
    assert!(!again.unwrap().is_connected(HOST));
}

/// An agent of its own for each number, with as many files.
struct Numbered(u64);

impl Roots for Numbered {
    fn open(&self, _: &str) -> Result<Arc<dyn Source>, Error> {
        Ok(Arc::new(GeneratedSource::new(GeneratedTree::new(self.0, 3))))
    }
    fn get(&self, root: &str) -> Result<Arc<dyn Source>, Error> {
        self.open(root)
    }
    fn roots(&self) -> Vec<String> {
        Vec::new()
    }
}

#[test]
fn many_agents_at_once_are_kept_apart_and_all_find_a_restarted_server() {
    let world = World::new();
    let name = |n: u64| format!("host-{n}");
    let mut listener = world.listener(loopback());
    let address = listener.address();
    let stop = Cancel::new();
    std::thread::scope(|scope| {
        for n in 1..=AGENTS {
            let (identity, stop) = (world.at(&format!("{n}.json")), stop.clone());
            let token = listener.invite(&name(n)).unwrap();
            scope.spawn(move || {
                octo_agent::enroll(&address.to_string(), &token, &identity).unwrap();
                octo_agent::run(&identity, Arc::new(Numbered(n)), &stop, &|_| {}).unwrap();
            });
        }
        for _ in 0..2 {
            until("all agents", || (1..=AGENTS).all(|n| listener.is_connected(&name(n))));
            let here = &listener;
            std::thread::scope(|scope| {
                for n in 1..=AGENTS {
                    scope.spawn(move || {
                        let source = here.source(&format!("host-{n}"), "/", Cancel::new()).unwrap();
                        let list = keep_list(&source, &RelPath::root(), usize::MAX);
                        assert_eq!((list.end, list.entries.len() as u64), (Listed::Complete, n));
                    });
                }
            });
            drop(listener);
            // The port may be held for a moment by connections that are ending.
            let mut again = None;
            until("the port", || {
                again = AgentListener::open(&world.at("server"), address).ok();
                again.is_some()
            });
            listener = again.unwrap();
        }
        stop.cancel();
    });
}
