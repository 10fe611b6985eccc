//! A server that is killed at many instants, and its agent with it: the next run finishes the work.
#![expect(clippy::print_stdout, reason = "a child process tells its parent")]

use crate::mirrors::{fill, mirror_watched, tree};
use crate::world::{Agent, HOST, World, loopback, until};
use octo_agent::AgentListener;
use octo_core::{Cancel, Event, Monitor, Outcome};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Tells the server's process where its folders are, and where to listen.
const ORDER: &str = "OCTO_AGENT_KILLS_ORDER";
const GIB: u64 = 1 << 30;

/// It makes one run.
#[test]
#[ignore = "the server's process of the tests below, which start it by name"]
fn child_server() {
    let order = std::env::var(ORDER).unwrap();
    let [folder, address, dies_at] = order.split('|').collect::<Vec<_>>()[..] else { panic!("{order}") };
    let (folder, address): (&Path, SocketAddr) = (Path::new(folder), address.parse().unwrap());
    let mut listener = None;
    // The port may be held for a moment by connections that are ending.
    until("the port", || {
        listener = AgentListener::open(&folder.join("server"), address).ok();
        listener.is_some()
    });
    let listener = listener.unwrap();
    let source = listener.source(HOST, folder.join("data").to_str().unwrap(), Cancel::new()).unwrap();
    println!("\nbegun");
    let stopping = StopsAt { left: AtomicU32::new(dies_at.parse().unwrap()) };
    let report = mirror_watched(&source, &folder.join("mirror"), &stopping);
    println!("\nended: {:?} {}", report.outcome, report.counts.copied_bytes);
}

/// Says so when so many things have happened in the run, and lets it go no further: it is killed there.
struct StopsAt {
    left: AtomicU32,
}

impl Monitor for StopsAt {
    fn event(&self, event: &Event<'_>) {
        if !matches!(event, Event::Change(_) | Event::Phase(_)) || self.left.fetch_sub(1, Ordering::SeqCst) != 1 {
            return;
        }
        println!("\nhere");
        loop {
            std::thread::park();
        }
    }
}

struct Server {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Server {
    /// Once its run has begun.
    fn start(world: &World, address: SocketAddr) -> Server {
        Server::start_until(world, address, 0)
    }

    /// Once so many things have happened in its run, which then waits to be killed; zero for a whole run.
    fn start_until(world: &World, address: SocketAddr, dies_at: u32) -> Server {
        let order = format!("{}|{address}|{dies_at}", world.at("").display());
        let mut command = octo_testkit::child::test("kills::child_server");
        let mut child = command.env(ORDER, order).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut server = Server { child, lines };
        server.hears(if dies_at > 0 { "here" } else { "begun" });
        server
    }

    /// The rest of the next line that begins so.
    fn hears(&mut self, beginning: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "it has ended without {beginning:?}");
            if let Some(rest) = line.trim_end().strip_prefix(beginning) {
                return rest.to_owned();
            }
        }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How its run ended, and the bytes that it copied.
    fn end(mut self) -> (String, u64) {
        let told = self.hears("ended: ");
        assert!(self.child.wait().unwrap().success());
        let (outcome, bytes) = told.split_once(' ').unwrap();
        (outcome.to_owned(), bytes.parse().unwrap())
    }
}

/// A machine that is paired, its agent, and where its server is to be.
fn paired() -> (World, Agent, SocketAddr) {
    let world = World::new();
    let listener = world.listener(loopback());
    let address = listener.address();
    let agent = world.join(&listener, address);
    (world, agent, address)
}

fn change(world: &World, round: usize) {
    for n in 0..40 {
        std::fs::write(world.data().join(format!("folder {n}/file {round}")), vec![round as u8; 900 * round]).unwrap();
    }
    for n in 0..4 {
        std::fs::remove_file(world.data().join(format!("folder {}/file {}", round, 30 + n))).unwrap();
    }
}

#[test]
fn a_server_killed_at_many_instants_and_its_agent_too_lead_to_an_equal_mirror() {
    let (world, mut agent, address) = paired();
    fill(&world, 40, 40);
    std::fs::write(world.data().join("large"), vec![7; 100 << 20]).unwrap();
    // Each round changes 44 entries, so that even the last runs get so far.
    for (round, dies_at) in [1, 4, 90, 200, 310, 3, 17, 30, 41, 47].into_iter().enumerate() {
        change(&world, round);
        let server = Server::start_until(&world, address, dies_at);
        if round % 3 == 2 {
            agent.die();
            agent = world.start();
        }
        server.kill();
    }
    let (outcome, _) = Server::start(&world, address).end();
    assert_eq!(outcome, format!("{:?}", Outcome::Succeeded));
    assert!(tree(&world.data()) == tree(&world.at("mirror")));
    assert_eq!(Server::start(&world, address).end().1, 0, "something was copied again");
}

/// A large file without holes, and no two blocks of it alike.
fn write_large(path: &Path) {
    let file = File::create(path).unwrap();
    let mut block = vec![7; 4 << 20];
    for n in 0..512u64 {
        block[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
        file.write_all_at(&block, n * (4 << 20)).unwrap();
    }
}

fn is_equal(one: &Path, other: &Path) -> bool {
    let (mut one, mut other) = (File::open(one).unwrap(), File::open(other).unwrap());
    let (mut a, mut b) = (vec![0; 4 << 20], vec![0; 4 << 20]);
    for _ in 0..512 {
        one.read_exact(&mut a).unwrap();
        other.read_exact(&mut b).unwrap();
        if a != b {
            return false;
        }
    }
    one.read(&mut a).unwrap() == 0 && other.read(&mut b).unwrap() == 0
}

/// The moment at which the newest map of a part was written.
fn noted(world: &World) -> Option<std::time::SystemTime> {
    let parts = std::fs::read_dir(world.at("mirror/.octobackup/tmp/part")).ok()?;
    let maps = parts.map(|it| it.unwrap().path()).filter(|path| path.extension().is_some_and(|it| it == "map"));
    maps.filter_map(|path| path.metadata().ok()?.modified().ok()).max()
}

#[test]
fn a_file_of_2_gib_goes_on_where_it_stopped_when_server_and_agent_are_killed() {
    let (world, mut agent, address) = paired();
    write_large(&world.data().join("large"));
    for _ in 0..3 {
        let before = noted(&world);
        let server = Server::start(&world, address);
        until("a quarter of a gibibyte more", || noted(&world) > before);
        server.kill();
        agent.die();
        agent = world.start();
    }
    let (outcome, copied_bytes) = Server::start(&world, address).end();
    assert_eq!(outcome, format!("{:?}", Outcome::Succeeded));
    assert!(copied_bytes <= 2 * GIB - 3 * (256 << 20), "{copied_bytes} bytes were copied");
    assert!(is_equal(&world.data().join("large"), &world.at("mirror/large")));
}
