//! A listener and a machine with an agent, for tests.

use octo_agent::{AgentListener, AgentSource};
use octo_core::{Cancel, Source};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The name of the machine in all tests.
pub const HOST: &str = "files-1";

/// A running agent; killed when dropped.
pub struct Agent(Child);

impl Agent {
    /// Kills it, as a power failure would.
    pub fn kill(mut self) {
        self.die();
    }

    /// The same, where another one takes its place: two at once would be taken for copies of one machine.
    pub fn die(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Agent {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl From<Child> for Agent {
    fn from(child: Child) -> Agent {
        Agent(child)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The folders of both sides.
pub struct World {
    pub folder: tempfile::TempDir,
}

impl World {
    /// A machine that lets `data` be read.
    pub fn new() -> World {
        let world = World { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(world.data()).unwrap();
        let config = format!("roots = [{:?}]\nstate = {:?}\n", world.data(), world.at("agent"));
        std::fs::write(world.at("agent.toml"), config).unwrap();
        world
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    pub fn data(&self) -> PathBuf {
        self.at("data")
    }

    /// A listener at this address, with what it remembers.
    pub fn listener(&self, listen: SocketAddr) -> AgentListener {
        AgentListener::open(&self.at("server"), listen).unwrap()
    }

    fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_octobackup-agent"));
        command.arg("--config").arg(self.at("agent.toml")).stdin(Stdio::null());
        command
    }

    /// Pairs with the token on standard input.
    pub fn enroll(&self, server: SocketAddr, token: &str) -> Output {
        let mut command = self.program();
        command.args(["enroll", "--server", &server.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // It may have refused its configuration without reading.
        let _ = child.stdin.take().unwrap().write_all(token.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Starts the agent.
    pub fn start(&self) -> Agent {
        Agent(self.program().arg("run").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Pairs and starts the agent, by way of `server`.
    pub fn join(&self, listener: &AgentListener, server: SocketAddr) -> Agent {
        let token = listener.invite(HOST).unwrap().reveal();
        let output = self.enroll(server, &token);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.start()
    }

    pub fn source(&self, listener: &AgentListener) -> AgentSource {
        listener.source(HOST, text(&self.data()), Cancel::new()).unwrap()
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Of this process's own: while a server is away, no connection of another test holds its port, nor one of its agent to itself.
pub fn loopback() -> SocketAddr {
    let [_, b, c, d] = std::process::id().to_be_bytes();
    ([127, 192 + b % 32, c, d], 0).into()
}

/// Waits for something that will come.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not come true");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The pin of a source, or the text of the error.
pub fn pin_text(source: &dyn Source) -> String {
    source.pin().map_or_else(|error| error.to_string(), |pin| pin.to_string())
}
