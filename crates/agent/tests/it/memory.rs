//! Memory does not grow with the number of files (DESIGN rule 8), on neither side of the wire: at most 128 MiB resident,
//! and at ten million entries at most 110% of what it is at one million. Through the real protocol and the real engine.
#![expect(clippy::print_stdout, reason = "a child process tells its parent")]

use crate::world::{Agent, HOST, loopback};
use octo_agent::{AgentListener, Roots};
use octo_core::{Cancel, Error, Outcome, Source};
use octo_disk::{DiskOptions, DiskTarget};
use octo_mirror::RunOptions;
use octo_testkit::clock::TestClock;
use octo_testkit::generated::{Difference, GeneratedSource, GeneratedTarget, GeneratedTree};
use std::path::Path;
use std::sync::Arc;

/// Tells a child process the shape of the tree: folders, files in each.
const ORDER: &str = "OCTO_AGENT_MEMORY_ORDER";
/// Tells an agent where its identity is.
const IDENTITY: &str = "OCTO_AGENT_MEMORY_IDENTITY";
const KIB_MAX: u64 = 128 << 10;
/// Below that, a tenth is less than the few buffers that may be under way or not at any moment.
const SMALL_KIB: u64 = 16 << 10;

struct Generated(GeneratedTree);

impl Roots for Generated {
    fn open(&self, _: &str) -> Result<Arc<dyn Source>, Error> {
        Ok(Arc::new(GeneratedSource::new(self.0)))
    }
    fn get(&self, root: &str) -> Result<Arc<dyn Source>, Error> {
        self.open(root)
    }
    fn roots(&self) -> Vec<String> {
        Vec::new()
    }
}

fn ordered() -> GeneratedTree {
    let order = std::env::var(ORDER).unwrap();
    let (folders, files) = order.split_once('x').unwrap();
    let mut tree = GeneratedTree::new(folders.parse().unwrap(), files.parse().unwrap());
    tree.scattered = true;
    tree
}

fn peak_kib(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
#[ignore = "the agent's process of the tests below, which start it by name"]
fn child_agent() {
    let (tree, identity) = (ordered(), std::env::var(IDENTITY).unwrap());
    octo_agent::run(Path::new(&identity), Arc::new(Generated(tree)), &Cancel::new(), &|_| {}).unwrap();
}

#[test]
#[ignore = "the server's process of the tests below, which start it by name"]
fn child_server() {
    let tree = ordered();
    let folder = tempfile::tempdir().unwrap();
    let listener = AgentListener::open(&folder.path().join("server"), loopback()).unwrap();
    let identity = folder.path().join("identity.json");
    octo_agent::enroll(&listener.address().to_string(), &listener.invite(HOST).unwrap(), &identity).unwrap();
    let agent = Agent::from(octo_testkit::child::test("memory::child_agent").env(IDENTITY, &identity).spawn().unwrap());
    let source = listener.source(HOST, "/", Cancel::new()).unwrap();
    let options = RunOptions { adopt: true, ..RunOptions::default() };
    let mirror = tempfile::tempdir().unwrap();
    let inner = DiskTarget::open(mirror.path(), DiskOptions::default()).unwrap();
    let target = GeneratedTarget::new(tree, Difference::default(), Box::new(inner));
    let silent = octo_core::monitor::Silent;
    let report = octo_mirror::run(&source, &target, &options, &silent, &TestClock::real(), &Cancel::new()).report;
    assert_eq!((report.outcome, report.counts.unchanged), (Outcome::Succeeded, tree.files()), "{report:#?}");
    println!("\nresident KiB: {} {}", peak_kib("self"), peak_kib(&agent.pid().to_string()));
}

/// The most memory that the server and the agent had resident, in KiB.
fn resident_kib(folders: u64, files: u64) -> [u64; 2] {
    let output = octo_testkit::child::test("memory::child_server")
        .env(ORDER, format!("{folders}x{files}"))
        .env("MALLOC_ARENA_MAX", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let line = text.lines().find_map(|line| line.strip_prefix("resident KiB: ")).unwrap();
    let (server, agent) = line.split_once(' ').unwrap();
    [server.parse().unwrap(), agent.parse().unwrap()]
}

fn assert_bounded(one_million: [u64; 2], ten_million: [u64; 2]) {
    println!("server and agent, KiB: {one_million:?} at one million, {ten_million:?} at ten million");
    for (one, ten) in one_million.into_iter().zip(ten_million) {
        assert!(ten <= KIB_MAX, "{ten} KiB at ten million entries");
        assert!(ten * 10 <= one.max(SMALL_KIB) * 11, "{one} KiB at one million, {ten} KiB at ten million");
    }
}

#[test]
fn ten_million_files_in_many_folders_take_no_more_memory_than_one_million() {
    assert_bounded(resident_kib(10_000, 100), resident_kib(100_000, 100));
}

#[test]
fn ten_million_files_in_one_folder_take_no_more_memory_than_one_million() {
    assert_bounded(resident_kib(1, 1_000_000), resident_kib(1, 10_000_000));
}
