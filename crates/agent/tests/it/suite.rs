//! The suite that every source must pass, against a real agent over real TLS.

use crate::world::{Agent, World, loopback};
use octo_agent::{AgentListener, AgentSource};
use octo_core::{RelPath, Source, Timestamp};
use octo_testkit::source_suite;
use octo_testkit::source_suite::Fixture;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

struct AgentFixture {
    source: AgentSource,
    _agent: Agent,
    _hub: AgentListener,
    world: World,
}

impl AgentFixture {
    fn new() -> AgentFixture {
        let world = World::new();
        let listener = world.listener(loopback());
        let agent = world.join(&listener, listener.address());
        AgentFixture { source: world.source(&listener), _agent: agent, _hub: listener, world }
    }

    fn at(&self, path: &RelPath) -> PathBuf {
        self.world.data().join(path.to_os())
    }
}

impl Fixture for AgentFixture {
    fn source(&self) -> &dyn Source {
        &self.source
    }
    fn make_folder(&self, path: &RelPath) {
        fs::create_dir(self.at(path)).unwrap();
    }
    fn write(&self, path: &RelPath, content: &[u8], time: Timestamp) {
        fs::write(self.at(path), content).unwrap();
        let (secs, nanos) = time.to_unix();
        let time = UNIX_EPOCH + Duration::new(u64::try_from(secs).unwrap(), nanos);
        fs::File::options().write(true).open(self.at(path)).unwrap().set_modified(time).unwrap();
    }
    fn remove(&self, path: &RelPath) {
        if fs::symlink_metadata(self.at(path)).unwrap().is_dir() {
            fs::remove_dir_all(self.at(path)).unwrap();
        } else {
            fs::remove_file(self.at(path)).unwrap();
        }
    }
    fn rename(&self, from: &RelPath, to: &RelPath) {
        fs::rename(self.at(from), self.at(to)).unwrap();
    }
    fn link(&self, path: &RelPath, text: &str) {
        std::os::unix::fs::symlink(text, self.at(path)).unwrap();
    }
}

source_suite!(AgentFixture::new(), ids, links);
